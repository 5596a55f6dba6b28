import { type Clock, systemClock } from '../util/clock.ts'
import type { AgentStatus, PluginState, PluginStatus, StatusWriter } from './agent-status.ts'
import { invalid } from './arguments.ts'
import { type ProbeDocument, type ProbeName, probeDocument } from './probe-document.ts'

/** What a `StatusCheck` needs to know; everything has a default. */
export interface StatusCheckOptions {
  /** Shown by the probes. Default: none. */
  readonly buildVersion?: string
  /** Plugins whose Error does not make the process Error. */
  readonly nonFatalPlugins?: readonly string[]
  /** Called after each change of a state or of the text of an error. Must not throw. */
  readonly onChange?: (status: AgentStatus) => void
  readonly clock?: Pick<Clock, 'now'>
}

/**
 * The health of a process, made of what its plugins report: true only if it is true for each of them, whoever reported
 * last. Everything is synchronous, so that a probe never waits.
 */
export class StatusCheck implements StatusWriter {
  readonly #options: StatusCheckOptions
  readonly #clock: Pick<Clock, 'now'>
  readonly #plugins = new Map<string, PluginStatus>()
  readonly #startedAt: Date
  #hasAll = false
  #lastChange: Date
  #lastUpdate: Date
  #state: PluginState = 'Init'

  constructor(options: StatusCheckOptions = {}) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#startedAt = this.#now()
    this.#lastChange = this.#startedAt
    this.#lastUpdate = this.#startedAt
  }

  /** Throws `InvalidArgument` when a plugin of that name is registered. */
  register(plugin: string): () => void {
    if (this.#plugins.has(plugin)) throw invalid('the plugin name', 'a plugin of that name is registered')
    const now = this.#now()
    const first = { name: plugin, state: 'Init', error: undefined, lastChange: now, lastUpdate: now } as const
    this.#plugins.set(plugin, first)
    this.#update(now)
    return () => {
      this.#plugins.delete(plugin)
      this.#update(this.#now())
    }
  }

  /** Throws `InvalidArgument` when no plugin of that name is registered. */
  report(plugin: string, state: PluginState, error?: string): void {
    const before = this.#plugins.get(plugin)
    if (before === undefined) throw invalid('the plugin name', 'no plugin of that name is registered')
    const now = this.#now()
    const text = state === 'Error' ? error : undefined
    const isSame = before.state === state && before.error === text
    const lastChange = isSame ? before.lastChange : now
    this.#plugins.set(plugin, { name: plugin, state, error: text, lastChange, lastUpdate: now })
    this.#update(now)
    if (!isSame) this.#options.onChange?.(this.status())
  }

  /** Every plugin there is has been registered: without any the process is Ok from now on. */
  afterInit(): void {
    this.#hasAll = true
    this.#update(this.#now())
  }

  status(): AgentStatus {
    return {
      buildVersion: this.#options.buildVersion ?? '',
      state: this.#state,
      startedAt: this.#startedAt,
      lastChange: this.#lastChange,
      lastUpdate: this.#lastUpdate,
      plugins: [...this.#plugins.values()],
      nonFatalPlugins: this.#options.nonFatalPlugins ?? [],
    }
  }

  /** What the seed's `/liveness` and `/readiness` answer now. */
  probe(name: ProbeName): ProbeDocument {
    return probeDocument(name, this.status())
  }

  #update(now: Date): void {
    this.#lastUpdate = now
    const state = this.#aggregate()
    if (state !== this.#state) this.#lastChange = now
    this.#state = state
  }

  #aggregate(): PluginState {
    const plugins = [...this.#plugins.values()]
    const isFatal = ({ name }: PluginStatus) => !this.#options.nonFatalPlugins?.includes(name)
    if (plugins.some((plugin) => plugin.state === 'Error' && isFatal(plugin))) return 'Error'
    const isInit = plugins.length === 0 ? !this.#hasAll : plugins.some(({ state }) => state === 'Init')
    return isInit ? 'Init' : 'Ok'
  }

  #now(): Date {
    return new Date(this.#clock.now())
  }
}
