import type { LimitOptions, SafetyOptions } from '../mirror/guards.ts'
import type { KeySelectionOptions } from '../mirror/key-selection.ts'
import type { HttpBind } from '../server/options.ts'
import type { TargetOptions } from './target-options.ts'

/** mirror.yaml, whole and checked, with every default filled in; frozen. */
export interface ProcessConfig {
  readonly http: { readonly bind: HttpBind }
  /** At least one; names are unique, roots neither equal nor nested. */
  readonly mirrors: readonly MirrorConfig[]
  /** The files this was read from, in the order of reading. */
  readonly configFiles: readonly string[]
}

export interface MirrorConfig {
  readonly name: string
  /** UTF-8 of what was written; empty = the whole store. Must not be changed. */
  readonly prefix: Buffer
  /** 0 = readiness does not look at staleness. */
  readonly maxStalenessMs: number
  /** 0 = never. */
  readonly verifyEveryMs: number
  readonly keys: KeySelectionOptions
  readonly limits: LimitOptions
  readonly safety: SafetyOptions
  readonly target: TargetOptions
  /** Changes exactly when the content of the copy could differ: SHA-256, hex. */
  readonly configHash: string
}
