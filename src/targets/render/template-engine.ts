import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { GuardError } from '../../mirror/guard-error.ts'
import type { KeyEntry } from './key-entry.ts'
import type { TemplateOptions } from './options.ts'
import type { RenderContext } from './output.ts'
import { renderFailure } from './render-failure.ts'
import { TEMPLATE_LIMITS } from './template-limits.ts'
import type { TemplateAnswer, TemplateRequest, TemplateWorkerData } from './template-messages.ts'
import { workerFile } from './worker-file.ts'

/**
 * Renders the templates of one mirror in a thread that is stopped when one takes too long or too much memory. The thread
 * keeps the keys: only those that changed are sent. One rendering at a time.
 */
export class TemplateEngine {
  readonly #prefix: string
  readonly #templates: readonly TemplateOptions[]
  readonly #timeMs: number
  #worker: Worker | undefined
  /** What the worker knows, by template. */
  #sent = new Map<TemplateOptions, ReadonlyMap<string, KeyEntry>>()

  /** `timeMs`: how long one rendering may take. */
  constructor(templates: readonly TemplateOptions[], prefix: string, timeMs: number = TEMPLATE_LIMITS.timeMs) {
    this.#timeMs = timeMs
    this.#templates = templates
    this.#prefix = prefix
  }

  /** Throws `GuardError` when there is no file; rejects with the abort reason. */
  async render(template: TemplateOptions, { entries, position, signal }: RenderContext): Promise<Buffer> {
    const worker = this.#worker ?? this.#start()
    const { puts, deletes } = this.#changes(template, entries)
    const index = this.#templates.indexOf(template)
    const request: TemplateRequest = { template: index, revision: position.revision, puts, deletes }
    const late = AbortSignal.timeout(this.#timeMs)
    const answered = once(worker, 'message', { signal: AbortSignal.any([signal, late]) })
    worker.postMessage(request)
    try {
      const [{ bytes, fault }] = (await answered) as [TemplateAnswer]
      if (fault !== undefined) throw renderFailure(template.file, fault.state, fault)
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    } catch (error) {
      if (isFailure(error)) throw error
      this.close()
      signal.throwIfAborted()
      throw stopped(template.file, late.aborted ? this.#timeMs : undefined, error)
    }
  }

  /** Stops the thread; the next rendering starts another one. */
  close(): void {
    void this.#worker?.terminate()
    this.#worker = undefined
    this.#sent = new Map()
  }

  #start(): Worker {
    const workerData: TemplateWorkerData = {
      prefix: this.#prefix,
      templates: this.#templates.map(({ text, env }) => ({ text, env: variables(env) })),
    }
    const worker = new Worker(workerFile('template-worker'), {
      workerData,
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: TEMPLATE_LIMITS.memoryMiB },
    })
    // Whoever waits for an answer hears of it as well.
    worker.on('error', () => undefined)
    worker.unref()
    this.#worker = worker
    return worker
  }

  #changes(template: TemplateOptions, entries: readonly KeyEntry[]): Pick<TemplateRequest, 'puts' | 'deletes'> {
    const puts: [string, Uint8Array][] = []
    const sent = this.#sent.get(template) ?? new Map<string, KeyEntry>()
    const current = new Map<string, KeyEntry>()
    for (const entry of entries) {
      if (entry.value === undefined || !entry.isText) continue
      current.set(entry.text, entry)
      if (sent.get(entry.text) !== entry) puts.push([entry.text, entry.value])
    }
    const deletes = [...sent.keys()].filter((key) => !current.has(key))
    this.#sent.set(template, current)
    return { puts, deletes }
  }
}

function variables(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
}

function isFailure(error: unknown): error is GuardError {
  return error instanceof Error && 'code' in error && error.code === 'RenderFailed'
}

function stopped(file: string, lateMs: number | undefined, error: unknown): GuardError {
  if (lateMs !== undefined) {
    return renderFailure(file, `its template takes longer than ${lateMs / 1000} s`, { hint: SIMPLER })
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return renderFailure(file, `its template needs more than ${TEMPLATE_LIMITS.memoryMiB} MiB`, { hint: SIMPLER })
  }
  return renderFailure(file, 'the thread of its template ended', { hint: 'Report this.' })
}

const SIMPLER = 'Make the template simpler, or give it fewer keys by "keys".'
