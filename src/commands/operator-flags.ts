import type { AllowedKind } from '../util/allowed-kind.ts'
import type { ConfiguredFlags } from './run-flags.ts'

/** What `operator` is told by flags and their variables. */
export interface OperatorFlags extends Pick<ConfiguredFlags, 'logLevel' | 'logFormat' | 'warnings'> {
  /** Whose resources are looked at; undefined = all. */
  readonly namespaces: readonly string[] | undefined
  /** Of several operators one leads; false = it is known to be the only one. */
  readonly leaderElection: boolean
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
  /** Most resources of a kind that are reconciled at once. */
  readonly concurrency: number
  /** undefined = the default. */
  readonly httpBind: string | undefined
  readonly shutdownGraceMs: number
}
