import type { KubeClient } from '../../kube/kube-client.ts'
import type { KubeError } from '../../kube/kube-error.ts'
import { ListWatch, type ListWatchOptions } from '../../kube/list-watch.ts'
import type { SinkError } from '../../mirror/sink-error.ts'
import { Backoff } from '../../util/backoff.ts'
import type { Clock } from '../../util/clock.ts'
import type { Logger } from '../../util/logger.ts'
import { Notifier } from '../../util/notifier.ts'
import type { FollowObjects } from './follow-objects.ts'

/** After so long without drift the next one is repaired at once again. */
const CALM_MS = 600_000

/** One kind of object that is looked at: see `ListWatch`. */
export type Watched = Pick<ListWatchOptions, 'query' | 'resourceVersion' | 'onList' | 'onChange' | 'onDelete'>

export interface DriftWatchOptions {
  readonly client: KubeClient
  readonly watched: readonly Watched[]
  readonly clock: Clock
  readonly logger: Logger
  readonly mirror: string
  /** Looks at the objects until the signal aborts. Default: by a list-watch of its own. */
  readonly follow?: FollowObjects | undefined
  /** Resolves with whether something was not as it should be, and is now. Rejects when that failed. */
  readonly repair: (signal: AbortSignal) => Promise<boolean>
  readonly toSinkError: (error: unknown) => SinkError | undefined
}

/**
 * Looks at what the mirror has written and has it repaired when somebody changes it. Who does that again and again is
 * answered ever more slowly.
 */
export class DriftWatch {
  readonly #options: DriftWatchOptions
  readonly #stop = new AbortController()
  readonly #suspected = new Notifier()
  readonly #backoff = new Backoff({ firstMs: 100, maxMs: 60_000 })
  readonly #ended: Promise<unknown>
  #fault: SinkError | undefined
  /** Why what others change cannot be noticed. */
  #blind: SinkError | undefined

  constructor(options: DriftWatchOptions) {
    this.#options = options
    const { signal } = this.#stop
    this.#ended = Promise.all([...options.watched.map((each) => this.#follow(each, signal)), this.#repairAll(signal)])
  }

  /** Why something that is not as it should be cannot be repaired, or not be noticed; undefined = all is well. */
  get fault(): SinkError | undefined {
    return this.#fault ?? this.#blind
  }

  /** Something is not as it should be, and could not be repaired. */
  get isRepairing(): boolean {
    return this.#fault !== undefined
  }

  /** Something may not be as it should. */
  suspect(): void {
    this.#suspected.notify()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  #follow(watched: Watched, signal: AbortSignal): Promise<void> {
    const { client, clock, follow } = this.#options
    const onOpen = () => {
      this.#blind = undefined
    }
    const onError = (error: KubeError) => this.#cannotWatch(error)
    if (follow === undefined) return new ListWatch({ ...watched, client, clock, onOpen, onError }).run(signal)
    const { query, onList, onChange, onDelete } = watched
    return follow(query, { onList, onChange, onDelete, onOpen, onError }, signal)
  }

  /** What does not pass by itself is told; an API server that is away is told by what cannot be written. */
  #cannotWatch(err: KubeError): void {
    const { logger, mirror, toSinkError } = this.#options
    const isNew = err.code === 'KubeDenied' && this.#blind === undefined
    if (err.code === 'KubeDenied') this.#blind = toSinkError(err)
    if (isNew) logger.warn({ mirror, err }, 'cannot notice what others change; retrying')
    else logger.debug({ mirror, err }, 'cannot watch the objects; retrying')
  }

  async #repairAll(signal: AbortSignal): Promise<void> {
    const { clock, repair } = this.#options
    let seen = this.#suspected.version
    let driftedMs = Number.NEGATIVE_INFINITY
    while (!signal.aborted) {
      try {
        if (this.#fault === undefined) await this.#suspected.wait(seen, signal)
        else await clock.sleep(this.#backoff.nextMs(), signal)
        seen = this.#suspected.version
        if (!(await repair(signal))) this.#fault = undefined
        else {
          this.#fault = undefined
          if (clock.monotonic() - driftedMs > CALM_MS) this.#backoff.reset()
          driftedMs = clock.monotonic()
          await clock.sleep(this.#backoff.nextMs(), signal)
        }
      } catch (error) {
        if (signal.aborted) return
        this.#failed(error)
      }
    }
  }

  #failed(error: unknown): void {
    const { logger, mirror, toSinkError } = this.#options
    const fault = toSinkError(error)
    if (fault === undefined) {
      logger.error({ mirror, err: error }, 'repairing failed unexpectedly')
      return
    }
    const isNew = this.#fault?.code !== fault.code
    this.#fault = fault
    if (isNew) logger.warn({ mirror, err: error }, 'cannot repair what somebody changed; retrying')
  }
}
