import type { KubeObject } from '../../kube/kube-object.ts'
import type { Totals } from '../../mirror/sink.ts'
import { type StoredState, storedStateOf } from './stored-state.ts'

/** What the index of many objects says. */
export interface StoredIndex {
  /** undefined = none that this version understands. */
  readonly state: StoredState | undefined
  /** Of the copy; undefined = not known. */
  readonly totals: Totals | undefined
  /** Of the objects as they were left: see `KnownObjects.seals`. */
  readonly seals: ReadonlySet<string>
}

/** Six bytes each, which are eight characters of Base64. */
const SEAL = /.{8}/g

/** undefined = there is no index. */
export function storedIndexOf(live: KubeObject | undefined): StoredIndex {
  if (live === undefined) return { state: undefined, totals: undefined, seals: new Set() }
  return { state: storedStateOf(live), totals: totalsOf(live), seals: sealsOf(live) }
}

function totalsOf({ data }: KubeObject): Totals | undefined {
  const { keys, bytes } = (data ?? {}) as Readonly<Record<string, unknown>>
  const totals = { keys: Number(keys ?? Number.NaN), bytes: Number(bytes ?? Number.NaN) }
  return Number.isSafeInteger(totals.keys) && Number.isSafeInteger(totals.bytes) ? totals : undefined
}

function sealsOf({ binaryData }: KubeObject): ReadonlySet<string> {
  const { seals } = (binaryData ?? {}) as Readonly<Record<string, unknown>>
  return new Set(typeof seals === 'string' ? seals.match(SEAL) : [])
}
