import { Backoff } from '../util/backoff.ts'
import { systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

/** Calls `attempt` until it works, with backoff. Rejects with what does not pass (default: not retryable), and with the abort reason. */
export async function persist<Result>(
  attempt: () => Promise<Result>,
  signal: AbortSignal,
  onFailure: (error: EtcdMirrorError) => void = () => {},
  passes: (error: EtcdMirrorError) => boolean = ({ retryable }) => retryable,
): Promise<Result> {
  for (const backoff = new Backoff(); ; ) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof EtcdMirrorError) || !passes(error)) throw error
      onFailure(error)
    }
    await systemClock.sleep(backoff.nextMs(), signal)
  }
}
