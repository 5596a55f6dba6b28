import { createHash } from 'node:crypto'
import type { KubeObject } from '../../kube/kube-object.ts'
import type { Position } from '../../replication/position.ts'
import { isCount, isRecord, positionFromJson, positionToJson } from '../files/position-json.ts'
import { ANNOTATIONS } from './object-identity.ts'

const SCHEMA = 1

/** What is known of a copy, as it stands in the annotation of the object that holds it. */
export interface StoredState {
  readonly position: Position
  /** The revision that the copy was published for; it may equal etcd up to a later one: `position`. */
  readonly published: { readonly revision: number; readonly epoch: number }
  readonly configHash: string
  /** What else is needed to go on from there; undefined = a snapshot is. */
  readonly rest: string | undefined
}

export function storedStateText({ position, published, configHash, rest }: StoredState): string {
  return JSON.stringify({ schema: SCHEMA, position: positionToJson(position), published, configHash, rest })
}

/** undefined = there is none, or not one that this version understands. */
export function storedStateOf({ metadata }: KubeObject): StoredState | undefined {
  const json = parse(metadata.annotations?.[ANNOTATIONS.position])
  if (!isRecord(json) || json.schema !== SCHEMA) return undefined
  const { published, configHash, rest } = json
  const position = positionFromJson(json.position)
  if (position === undefined || typeof configHash !== 'string') return undefined
  if (!isRecord(published) || !isCount(published.revision) || !isCount(published.epoch)) return undefined
  if (rest !== undefined && typeof rest !== 'string') return undefined
  const { revision, epoch } = published
  return { position, published: { revision, epoch }, configHash, rest }
}

/** SHA-256 (hex) of names and values, in the order of the names. */
export function contentHash(data: Iterable<readonly [string, Buffer]>): string {
  const hash = createHash('sha256')
  for (const [name, value] of [...data].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name}\0${value.length}\0`).update(value)
  }
  return hash.digest('hex')
}

/** Whether a position lies behind another one, of which it is not certain that it came from the same history. */
export function isBehind(
  position: Pick<Position, 'epoch' | 'revision'>,
  other: { readonly epoch: number; readonly revision: number },
): boolean {
  return position.epoch < other.epoch || (position.epoch === other.epoch && position.revision < other.revision)
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
