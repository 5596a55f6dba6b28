import type { AgentStatus, PluginState } from '../library/agent-status.ts'
import { StatusCheck } from '../library/status-check.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { Clock } from '../util/clock.ts'
import { isSourceFailure } from './source-failure.ts'

export interface SeedHealthTrackerOptions {
  readonly version: string
  readonly clock: Pick<Clock, 'now'>
}

interface Observed {
  readonly state: PluginState
  readonly error?: string
}

/** The one plugin of the process, by the seed's name. */
const PLUGIN = 'etcd'

/**
 * The seed's health of a process that mirrors: what the probes of our own know of the mirrors, seen as the seed sees it.
 * As in the seed, a change is another state or another error text, and what is known is as old as the last look.
 */
export class SeedHealthTracker {
  readonly #check: StatusCheck

  constructor({ version, clock }: SeedHealthTrackerOptions) {
    this.#check = new StatusCheck({ buildVersion: version, clock })
    this.#check.register(PLUGIN)
  }

  /** Looks at the mirrors now. */
  observe(mirrors: readonly MirrorStatus[]): AgentStatus {
    const [before] = this.#check.status().plugins
    const seen = etcdState(mirrors)
    // Init is only the time before the first answer: a mirror that takes a new snapshot has not lost etcd.
    const { state, error } = seen.state === 'Init' ? { state: before?.state ?? 'Init', error: before?.error } : seen
    this.#check.report(PLUGIN, state, error)
    return this.#check.status()
  }
}

/** Error when any mirror cannot reach etcd, else Init when any was not there yet, else Ok. */
function etcdState(mirrors: readonly MirrorStatus[]): Observed {
  const lost = mirrors.find(
    ({ sourceConnected, sourceError }) => !sourceConnected && sourceError !== undefined && isSourceFailure(sourceError),
  )
  // The reason alone: both probes answer everybody, and a message may say more than everybody should know.
  if (lost?.sourceError !== undefined) return { state: 'Error', error: lost.sourceError.reason }
  return { state: mirrors.length > 0 && mirrors.every((mirror) => mirror.sourceConnected) ? 'Ok' : 'Init' }
}
