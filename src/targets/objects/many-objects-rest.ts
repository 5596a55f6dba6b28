import { isRecord } from '../files/position-json.ts'
import type { KnownObjects } from './known-objects.ts'
import type { Refusal, WaitingSources } from './object-plan.ts'
import type { ObjectProjection } from './object-projection.ts'

const MAX_REFUSED = 100

export interface Rest {
  readonly known: KnownObjects
  readonly refused: ReadonlyMap<string, Refusal>
  readonly waiting: WaitingSources
}

/**
 * What the index says beside the position: which objects there are, and the keys that have none. undefined = that is too
 * much, or not enough: keys that wait for the object of another one have to be read again.
 */
export function restText({ known, refused, waiting }: Rest): string | undefined {
  if (refused.size > MAX_REFUSED || waiting.size > 0) return undefined
  const list = [...refused.values()].map(({ key, reason }) => [key.toString('base64'), reason])
  return JSON.stringify({ digest: known.digest(), refused: list })
}

/** The keys that have no objects, by source. undefined = other objects stand there than the index knows. */
export function refusedFrom(
  rest: string | undefined,
  known: KnownObjects,
  { projection, prefix }: { readonly projection: ObjectProjection; readonly prefix: Buffer },
): readonly (readonly [string, Refusal])[] | undefined {
  const json: unknown = rest === undefined ? undefined : JSON.parse(rest)
  if (!isRecord(json) || json.digest !== known.digest() || !Array.isArray(json.refused)) return undefined
  return json.refused.map(([base64, reason]: readonly [string, string]) => {
    const key = Buffer.from(base64, 'base64')
    return [projection.sourceOf(key.subarray(prefix.length)), { key, reason }] as const
  })
}
