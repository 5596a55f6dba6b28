/** Init = nothing is known yet · Ok = it works · Error = it does not. */
export type PluginState = 'Init' | 'Ok' | 'Error'

/** What one plugin of a process reported last. */
export interface PluginStatus {
  readonly name: string
  readonly state: PluginState
  /** Why the state is Error, else undefined. */
  readonly error: string | undefined
  /** When the state or the text of the error changed. */
  readonly lastChange: Date
  readonly lastUpdate: Date
}

/** The health of a process and of its plugins. */
export interface AgentStatus {
  readonly buildVersion: string
  /** Error when a plugin is that is not in `nonFatalPlugins`, else Init when any is, else Ok. */
  readonly state: PluginState
  readonly startedAt: Date
  /** When `state` changed. */
  readonly lastChange: Date
  /** When any plugin reported. */
  readonly lastUpdate: Date
  /** In the order of registration. */
  readonly plugins: readonly PluginStatus[]
  /** Plugins whose Error does not make the process Error. */
  readonly nonFatalPlugins: readonly string[]
}

/** Where a plugin reports its state to; a `StatusCheck`, or something of yours. */
export interface StatusWriter {
  /** Makes the plugin known, in state Init. Returns what makes it unknown again. */
  register(plugin: string): () => void
  /** `error` counts for the state Error alone. */
  report(plugin: string, state: PluginState, error?: string): void
}
