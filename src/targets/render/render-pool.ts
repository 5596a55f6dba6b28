import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../util/clock.ts'
import type { RenderAnswer, RenderJob } from './render-job.ts'
import { workerFile } from './worker-file.ts'

export interface RenderPoolOptions {
  /** Most renderings at once. Default 2. */
  readonly processes?: number
  /** How long one rendering may take, in milliseconds. Default 5,000. */
  readonly timeMs?: number
  /** MiB of the heap of one process. Default 64. */
  readonly memoryMiB?: number
  /** After a rendering of more than 100 ms its tenant waits for so many times as long before the next. Default 0. */
  readonly waitFactor?: number
  readonly clock: Clock
}

const LONG_MS = 100
/** Exit code of a program that aborted, where no signal is told. */
const ABORTED = 134
const SIMPLER = 'Make it simpler, or give it fewer keys.'

class ProcessEnded extends Error {
  /** As it ends when its heap, or the memory of the container, is full. */
  readonly isMemory: boolean

  constructor(isMemory: boolean) {
    super('the process has ended')
    this.isMemory = isMemory
  }
}

interface Waiting {
  readonly job: RenderJob
  readonly signal: AbortSignal
  readonly settle: PromiseWithResolvers<RenderAnswer>
}

interface Renderer {
  readonly child: ChildProcess
  /** Its program was loaded. */
  readonly ready: Promise<unknown>
  /** Rejects when it has ended. */
  readonly ended: Promise<never>
}

/**
 * Renders for many tenants in a few processes; one that takes too long or too much memory is killed. Not in threads: memory
 * that runs out in a thread can abort the whole process. Tenants take turns, each has one process at most, and with a
 * `waitFactor` one whose renderings take long leaves time for those of the others.
 */
export class RenderPool {
  readonly #options: Required<RenderPoolOptions>
  /** By tenant; who was served last stands last. */
  readonly #queues = new Map<string, Waiting[]>()
  /** Tenants that are served, or wait after a long rendering. */
  readonly #busy = new Set<string>()
  readonly #idle: Renderer[] = []
  readonly #renderers = new Set<Renderer>()
  readonly #stop = new AbortController()
  #running = 0

  constructor(options: RenderPoolOptions) {
    this.#options = { processes: 2, timeMs: 5000, memoryMiB: 64, waitFactor: 0, ...options }
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

  /** Ends every process, for good. */
  close(): void {
    this.#stop.abort(new Error('rendering has ended'))
    for (const renderer of this.#renderers) this.#end(renderer)
  }

  #pump(): void {
    for (const tenant of [...this.#queues.keys()]) {
      if (this.#running >= this.#options.processes) return
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
    const { clock, timeMs, memoryMiB } = this.#options
    const renderer = this.#idle.pop() ?? this.#start()
    const { child } = renderer
    const late = new AbortController()
    const timer = new AbortController()
    let startedMs = clock.monotonic()
    child.channel?.ref()
    try {
      await Promise.race([renderer.ready, renderer.ended])
      startedMs = clock.monotonic()
      const tooLate = () => late.abort()
      clock.sleep(timeMs, timer.signal).then(tooLate, () => undefined)
      const answered = once(child, 'message', { signal: AbortSignal.any([signal, late.signal]) })
      child.send(job)
      const [answer] = (await Promise.race([answered, renderer.ended])) as [RenderAnswer]
      settle.resolve(answer)
      child.channel?.unref()
      this.#idle.push(renderer)
    } catch (error) {
      this.#end(renderer)
      const isMemory = error instanceof ProcessEnded && error.isMemory
      const states = { late: `takes longer than ${timeMs / 1000} s`, memory: `needs more than ${memoryMiB} MiB` }
      const state = late.signal.aborted ? states.late : isMemory ? states.memory : 'ended its process'
      settle.resolve({ fault: { state, hint: SIMPLER, key: undefined }, isStopped: true })
    } finally {
      timer.abort()
    }
    return clock.monotonic() - startedMs
  }

  #start(): Renderer {
    // As in hooks: not at the start of who renders nothing.
    const { fork } = process.getBuiltinModule('node:child_process')
    const child = fork(fileURLToPath(workerFile('render-worker')), [], {
      execArgv: [`--max-old-space-size=${this.#options.memoryMiB}`],
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    const ended = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => {
      throw new ProcessEnded(signal === 'SIGABRT' || signal === 'SIGKILL' || code === ABORTED)
    })
    const renderer = { child, ready: once(child, 'message'), ended }
    // Whoever waits for an answer hears of it as well.
    ended.catch(() => this.#forget(renderer))
    renderer.ready.catch(() => undefined)
    child.on('error', () => undefined)
    child.unref()
    this.#renderers.add(renderer)
    return renderer
  }

  #end(renderer: Renderer): void {
    this.#forget(renderer)
    renderer.child.kill('SIGKILL')
  }

  #forget(renderer: Renderer): void {
    this.#renderers.delete(renderer)
    const at = this.#idle.indexOf(renderer)
    if (at !== -1) this.#idle.splice(at, 1)
  }
}
