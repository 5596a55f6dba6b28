import type { AgentStatus, PluginState, PluginStatus } from './agent-status.ts'

/** The seed's probes. */
export type ProbeName = 'liveness' | 'readiness'

/** An answer of a probe. */
export interface ProbeDocument {
  /** 200, or 500 when the probe is negative. */
  readonly statusCode: number
  readonly body: Readonly<Record<string, unknown>>
}

const STATE_NUMBER: Readonly<Record<PluginState, number>> = { Init: 0, Ok: 1, Error: 2 }

/**
 * What the seed's `/liveness` and `/readiness` answer. Liveness is positive on Init and Ok, readiness on Ok alone. The
 * body has the seed's names: a state is a number, times are Unix seconds, and as in Go's encoding what is zero or empty
 * is absent, so that Init has no `state`.
 */
export function probeDocument(probe: ProbeName, agent: AgentStatus): ProbeDocument {
  const { buildVersion, state, startedAt, lastChange, lastUpdate, plugins, nonFatalPlugins } = agent
  const isPositive = state === 'Ok' || (state === 'Init' && probe === 'liveness')
  const body = withoutZero({
    build_version: buildVersion,
    state: STATE_NUMBER[state],
    start_time: unixSeconds(startedAt),
    last_change: unixSeconds(lastChange),
    last_update: unixSeconds(lastUpdate),
    interface_stats: probe === 'readiness' ? {} : undefined,
    plugins: plugins.map((plugin) => withoutZero({ name: plugin.name, ...fieldsOf(plugin) })),
    PluginStatus: Object.fromEntries(plugins.map((plugin) => [plugin.name, withoutZero(fieldsOf(plugin))])),
    NonFatalPlugins: nonFatalPlugins.length === 0 ? null : nonFatalPlugins,
  })
  return { statusCode: isPositive ? 200 : 500, body }
}

function fieldsOf({ state, error, lastChange, lastUpdate }: PluginStatus): Readonly<Record<string, unknown>> {
  return {
    state: STATE_NUMBER[state],
    last_change: unixSeconds(lastChange),
    last_update: unixSeconds(lastUpdate),
    error,
  }
}

function unixSeconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}

function withoutZero(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const isZero = (value: unknown) => value === undefined || value === 0 || value === ''
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isZero(value)))
}
