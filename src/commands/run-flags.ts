import type { ConfigFlags } from '../config/load-config.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export const LOG_FORMATS = ['json', 'text'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFormat = (typeof LOG_FORMATS)[number]

/** What every command is told that reads mirror.yaml. */
export interface ConfiguredFlags extends ConfigFlags {
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  /** About the flags and variables themselves, one line each; for the command to log. */
  readonly warnings: readonly string[]
}

/** What `check` is told by flags and their variables. */
export interface CheckFlags extends ConfiguredFlags {
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
}

/** What `diff`, `verify` and `status` are told by flags and their variables. */
export interface InspectFlags extends ConfiguredFlags {
  /** Name of the one mirror to look at; undefined = all. */
  readonly mirror: string | undefined
  readonly json: boolean
}

/** What `diff` is told by flags and their variables. */
export interface DiffFlags extends InspectFlags {
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
  readonly showValues: boolean
}

/** What `status` is told by flags and their variables. */
export interface StatusFlags extends InspectFlags {
  /** Print again every two seconds. */
  readonly watch: boolean
}

/** What `run` is told by flags and their variables. */
export interface RunFlags extends CheckFlags {
  /** Say what would be published, write nothing and end. */
  readonly dryRun: boolean
  /** End after the first publish of every mirror. */
  readonly oneTime: boolean
  /** With `oneTime`: `AfterPublish` hooks are left to a later run, which tells them of the copy. */
  readonly skipAfterHooks: boolean
  /** With `oneTime`: give up after this long; undefined = never. */
  readonly timeoutMs: number | undefined
  /** How long a drain may take after SIGTERM. */
  readonly shutdownGraceMs: number
}

/** What `compact` is told. */
export interface CompactFlags extends Pick<ConfiguredFlags, 'etcdConfig' | 'configDir' | 'warnings'> {
  /** undefined = the current one. */
  readonly revision: number | undefined
}
