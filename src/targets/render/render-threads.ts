import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../util/clock.ts'
import type { RenderAnswer, RenderJob } from './render-job.ts'
import { stoppedState } from './stopped-state.ts'
import { TEMPLATE_LIMITS } from './template-limits.ts'
import { workerFile } from './worker-file.ts'

export interface RenderThreadsOptions {
  /** Most threads. Default 2. */
  readonly threads?: number
  /** How long one rendering may take, in milliseconds. Default 5,000. */
  readonly timeMs?: number
  /** After a rendering of more than 100 ms its tenant waits for so many times as long before the next. Default 0. */
  readonly waitFactor?: number
  readonly clock: Clock
}

const LONG_MS = 100

interface Waiting {
  readonly job: RenderJob
  readonly signal: AbortSignal
  readonly settle: PromiseWithResolvers<RenderAnswer>
}

interface Thread {
  readonly worker: Worker
  /** Its program was loaded. */
  readonly ready: Promise<unknown>
}

/**
 * Renders for many tenants in a few threads; one that takes too long or too much memory is stopped. Tenants take turns, each
 * has one thread at most, and with a `waitFactor` one whose renderings take long leaves time for those of the others.
 */
export class RenderThreads {
  readonly #options: Required<RenderThreadsOptions>
  /** By tenant; who was served last stands last. */
  readonly #queues = new Map<string, Waiting[]>()
  /** Tenants that have a thread, or wait after a long rendering. */
  readonly #busy = new Set<string>()
  readonly #idle: Thread[] = []
  readonly #threads = new Set<Thread>()
  readonly #stop = new AbortController()
  #running = 0

  constructor(options: RenderThreadsOptions) {
    this.#options = { threads: 2, timeMs: 5000, waitFactor: 0, ...options }
  }

  /** Resolves also when there is nothing but a fault. Rejects with the abort reason. */
  async render(tenant: string, job: RenderJob, signal: AbortSignal): Promise<RenderAnswer> {
    const either = AbortSignal.any([signal, this.#stop.signal])
    either.throwIfAborted()
    const waiting: Waiting = { job, signal: either, settle: Promise.withResolvers() }
    const giveUp = () => waiting.settle.reject(either.reason)
    either.addEventListener('abort', giveUp, { once: true })
    this.#queues.set(tenant, [...(this.#queues.get(tenant) ?? []), waiting])
    this.#pump()
    try {
      return await waiting.settle.promise
    } finally {
      either.removeEventListener('abort', giveUp)
    }
  }

  /** Stops every thread, for good. */
  close(): void {
    this.#stop.abort(new Error('rendering has ended'))
    for (const thread of this.#threads) this.#end(thread)
  }

  #pump(): void {
    for (const tenant of [...this.#queues.keys()]) {
      if (this.#running >= this.#options.threads) return
      if (!this.#busy.has(tenant)) void this.#serve(tenant)
    }
  }

  /** The next of a tenant's jobs that somebody still waits for. */
  #take(tenant: string): Waiting | undefined {
    const queue = (this.#queues.get(tenant) ?? []).filter(({ signal }) => !signal.aborted)
    const next = queue.shift()
    this.#queues.delete(tenant)
    if (queue.length > 0) this.#queues.set(tenant, queue)
    return next
  }

  async #serve(tenant: string): Promise<void> {
    const waiting = this.#take(tenant)
    if (waiting === undefined) return
    const { clock, waitFactor } = this.#options
    this.#busy.add(tenant)
    this.#running += 1
    const tookMs = await this.#answer(waiting)
    this.#running -= 1
    this.#pump()
    const waitMs = tookMs > LONG_MS ? tookMs * waitFactor : 0
    if (waitMs > 0) await clock.sleep(waitMs, this.#stop.signal).catch(() => undefined)
    this.#busy.delete(tenant)
    this.#pump()
  }

  /** Resolves with how long the rendering took. */
  async #answer({ job, signal, settle }: Waiting): Promise<number> {
    const { clock, timeMs } = this.#options
    const thread = this.#idle.pop() ?? this.#start()
    const late = new AbortController()
    const timer = new AbortController()
    let startedMs = clock.monotonic()
    try {
      await thread.ready
      startedMs = clock.monotonic()
      void clock.sleep(timeMs, timer.signal).then(
        () => late.abort(),
        () => undefined,
      )
      const answered = once(thread.worker, 'message', { signal: AbortSignal.any([signal, late.signal]) })
      thread.worker.postMessage(job)
      const [answer] = (await answered) as [RenderAnswer]
      settle.resolve(answer)
      this.#idle.push(thread)
    } catch (error) {
      this.#end(thread)
      const fault = { ...stoppedState(late.signal.aborted ? timeMs : undefined, error), key: undefined }
      settle.resolve({ fault, isStopped: true })
    } finally {
      timer.abort()
    }
    return clock.monotonic() - startedMs
  }

  #start(): Thread {
    const worker = new Worker(workerFile('render-worker'), {
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: TEMPLATE_LIMITS.memoryMiB },
    })
    // Whoever waits for an answer hears of it as well.
    worker.on('error', () => undefined)
    worker.unref()
    const thread = { worker, ready: once(worker, 'message') }
    this.#threads.add(thread)
    return thread
  }

  #end(thread: Thread): void {
    this.#threads.delete(thread)
    void thread.worker.terminate()
  }
}
