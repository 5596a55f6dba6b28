import { readConfig } from '../config/load-config.ts'
import { type HttpBind, parseHttpBind } from '../server/options.ts'
import type { StatusDocument } from '../server/status-document.ts'
import { systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { joinHostPort } from '../util/host-port.ts'
import type { CommandContext } from './command-context.ts'
import { EXIT_CODES } from './exit-code.ts'
import { type Palette, paletteFor } from './palette.ts'
import type { StatusFlags } from './run-flags.ts'
import { statusTable } from './status-table.ts'

const DEFAULT_BIND: HttpBind = { host: '', port: 9379 }
const ANY_ADDRESS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::'])
const WATCH_MS = 2000
const ANSWER_MS = 10_000
const CLEAR = '\u001b[H\u001b[2J\u001b[3J'

/**
 * `etcd-mirror status`: what the running process says of its mirrors, once or again every two seconds. While it watches, a
 * process that does not answer is said and asked again.
 */
export async function status(flags: StatusFlags, context: CommandContext): Promise<number> {
  const { stdout, stderr, env, signal } = context
  const url = `http://${await addressOf(flags, context)}/status`
  const palette = paletteFor(stdout, env)
  if (!flags.watch) {
    stdout.write(await read(url, flags, palette, signal))
    return EXIT_CODES.done
  }
  while (!signal.aborted) {
    try {
      const text = await read(url, flags, palette, signal)
      stdout.write(stdout.isTTY && !flags.json ? `${CLEAR}${text}` : text)
    } catch (error) {
      if (!(error instanceof EtcdMirrorError) || error.code === 'Usage') throw error
      stderr.write(`${error.message}\n`)
    }
    await systemClock.sleep(WATCH_MS, signal).catch(() => undefined)
  }
  return EXIT_CODES.done
}

/** As the flag has it, or mirror.yaml; the process may run although that is broken by now. */
async function addressOf(flags: StatusFlags, { env, signal }: CommandContext): Promise<string> {
  const attempt = flags.httpBind === undefined ? await readConfig({ flags, env, signal }) : undefined
  const written = attempt?.ok ? attempt.config.process.http.bind : DEFAULT_BIND
  const bind = flags.httpBind === undefined ? written : parseHttpBind(flags.httpBind)
  if (bind === undefined) throw new EtcdMirrorError('Usage', `--http-bind ${flags.httpBind}: not [host]:port`, false)
  return joinHostPort(ANY_ADDRESS.has(bind.host) ? '127.0.0.1' : bind.host, bind.port)
}

async function read(url: string, flags: StatusFlags, palette: Palette, signal: AbortSignal): Promise<string> {
  const document = await fetchStatus(url, signal)
  const mirrors = document.mirrors.filter(({ name }) => flags.mirror === undefined || name === flags.mirror)
  if (mirrors.length === 0 && flags.mirror !== undefined) {
    throw new EtcdMirrorError('Usage', `--mirror ${flags.mirror}: the process has no mirror of that name`, false)
  }
  if (flags.json) return `${JSON.stringify({ ...document, mirrors }, null, flags.watch ? undefined : 2)}\n`
  return statusTable({ ...document, mirrors }, Date.now(), palette)
}

async function fetchStatus(url: string, signal: AbortSignal): Promise<StatusDocument> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) })
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    return (await response.json()) as StatusDocument
  } catch (error) {
    signal.throwIfAborted()
    throw new EtcdMirrorError('Internal', `Cannot read ${url}: ${reasonOf(error)}`, true, {
      hint: 'Is etcd-mirror running there? Name its address with --http-bind.',
    })
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: { readonly code?: string } }
  return cause?.code ?? message
}
