import { readFile } from 'node:fs/promises'
import { HookFailure } from './hook-failure.ts'
import type { HookRun } from './hook-run.ts'
import type { HttpOptions } from './options.ts'

/** Sends a request; redirects are answers like others. Throws `HookFailure`, or the abort reason. */
export async function runHttp(options: HttpOptions, run: HookRun): Promise<void> {
  const late = AbortSignal.timeout(run.timeoutMs)
  const signal = AbortSignal.any([run.signal, late])
  try {
    const { url, method } = options
    const response = await fetch(url, { method, headers: await headersOf(options, run), redirect: 'manual', signal })
    await response.body?.cancel()
    if (!options.successCodes.includes(response.status)) {
      throw new HookFailure('error', `the answer was ${response.status}`)
    }
  } catch (error) {
    run.signal.throwIfAborted()
    if (error instanceof HookFailure) throw error
    if (late.aborted) throw new HookFailure('timeout', `it took longer than ${run.timeoutMs / 1000} s`)
    throw new HookFailure('error', `the request failed (${reasonOf(error)})`)
  }
}

async function headersOf({ headers, headerFiles }: HttpOptions, run: HookRun): Promise<Record<string, string>> {
  const { MIRROR_NAME, MIRROR_REVISION, MIRROR_FROM_REVISION } = run.environment
  const all: Record<string, string> = {
    'Mirror-Name': MIRROR_NAME,
    'Mirror-Revision': MIRROR_REVISION,
    'Mirror-From-Revision': MIRROR_FROM_REVISION,
    ...headers,
  }
  for (const [name, path] of Object.entries(headerFiles)) {
    const text = await readFile(path, 'utf8').catch(() => {
      throw new HookFailure('error', `the file of the header ${name} cannot be read`)
    })
    all[name] = text.trim()
  }
  return all
}

/** Codes alone: messages may hold what was sent. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown'
}
