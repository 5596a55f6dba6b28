import { Backoff } from '../util/backoff.ts'
import type { Clock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { EtcdConnection } from './etcd-connection.ts'

export interface ConnectionMonitorOptions {
  readonly connection: Pick<EtcdConnection, 'getRevision' | 'watch'>
  readonly clock: Clock
  readonly onLost: (error: EtcdMirrorError) => void
  readonly onBack: () => void
}

/** Nobody writes it; the seed's name. */
const PROBE_KEY = '/probe-etcd-connection'
const POLL_MS = 5000

/**
 * Notices when etcd goes away and when it is back. An open watch tells of every interruption, however short; one request
 * that takes too long is none. Where the key may not be read, requests alone have to do.
 */
export class ConnectionMonitor {
  readonly #options: ConnectionMonitorOptions

  constructor(options: ConnectionMonitorOptions) {
    this.#options = options
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { onLost, onBack } = this.#options
    while (!signal.aborted) {
      const error = await this.#interruption(signal)
      if (signal.aborted || error === undefined) return
      onLost(error)
      await this.#answer(signal)
      if (!signal.aborted) onBack()
    }
  }

  /** Resolves with undefined when the signal aborts. */
  async #interruption(signal: AbortSignal): Promise<EtcdMirrorError | undefined> {
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    try {
      return await Promise.race([this.#watched(either), this.#polled(either)])
    } finally {
      stop.abort()
    }
  }

  async #watched(signal: AbortSignal): Promise<EtcdMirrorError | undefined> {
    const interrupted = Promise.withResolvers<EtcdMirrorError | undefined>()
    const watch = this.#options.connection.watch(PROBE_KEY, { signal, onInterrupted: interrupted.resolve })
    const iterate = async () => {
      for await (const _ of watch) if (signal.aborted) return
    }
    // Without the right to watch there is only polling, which never ends this promise.
    iterate().catch((error: unknown) => (isRefusal(error) ? undefined : interrupted.resolve(asError(error))))
    return await interrupted.promise
  }

  async #polled(signal: AbortSignal): Promise<EtcdMirrorError | undefined> {
    for (let failures = 0; !signal.aborted; ) {
      await this.#options.clock.sleep(POLL_MS, signal).catch(() => undefined)
      const error = await this.#ask(signal)
      failures = error === undefined ? 0 : failures + 1
      if (failures > 1) return error
    }
    return undefined
  }

  async #answer(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 })
    while (!signal.aborted && (await this.#ask(signal)) !== undefined) {
      await this.#options.clock.sleep(backoff.nextMs(), signal).catch(() => undefined)
    }
  }

  /** undefined = etcd answers, if only to refuse. */
  async #ask(signal: AbortSignal): Promise<EtcdMirrorError | undefined> {
    try {
      await this.#options.connection.getRevision({ signal })
      return undefined
    } catch (error) {
      return isRefusal(error) ? undefined : asError(error)
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof EtcdMirrorError && error.code === 'PermissionDenied'
}

function asError(error: unknown): EtcdMirrorError {
  if (error instanceof EtcdMirrorError) return error
  return new EtcdMirrorError('Internal', 'Cannot watch the connection to etcd: unexpected failure', true, {
    cause: error,
  })
}
