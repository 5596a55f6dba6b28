/** Init = etcd was not heard of yet · Ok = reachable · Error = not reachable. */
export type SeedState = 'Init' | 'Ok' | 'Error'

/** What the seed's probes say: the state of the connection to etcd and since when. */
export interface SeedHealth {
  readonly buildVersion: string
  readonly state: SeedState
  /** Why the state is Error, else undefined. */
  readonly error: string | undefined
  readonly startedAt: Date
  readonly lastChange: Date
  readonly lastUpdate: Date
}

export type SeedProbe = 'liveness' | 'readiness'

const STATE_NUMBER: Readonly<Record<SeedState, number>> = { Init: 0, Ok: 1, Error: 2 }

/** Liveness is positive on Init and Ok, readiness on Ok alone. */
export function seedProbePasses(probe: SeedProbe, { state }: SeedHealth): boolean {
  return state === 'Ok' || (state === 'Init' && probe === 'liveness')
}

/**
 * The body of the seed's probes, name by name: state is a number, times are Unix seconds, and as in Go's encoding a
 * field that is zero or empty is absent, so that Init has no `state`. The one plugin is `etcd`.
 */
export function seedProbeBody(probe: SeedProbe, health: SeedHealth): Readonly<Record<string, unknown>> {
  const plugin = {
    state: STATE_NUMBER[health.state],
    last_change: unixSeconds(health.lastChange),
    last_update: unixSeconds(health.lastUpdate),
    error: health.error,
  }
  return withoutZero({
    build_version: health.buildVersion,
    state: STATE_NUMBER[health.state],
    start_time: unixSeconds(health.startedAt),
    last_change: unixSeconds(health.lastChange),
    last_update: unixSeconds(health.lastUpdate),
    interface_stats: probe === 'readiness' ? {} : undefined,
    plugins: [withoutZero({ name: 'etcd', ...plugin })],
    PluginStatus: { etcd: withoutZero(plugin) },
    NonFatalPlugins: null,
  })
}

function unixSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}

function withoutZero(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== 0))
}
