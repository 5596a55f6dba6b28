import type { Anchor, Position } from '../../replication/position.ts'

/** A position as plain JSON: ids as decimal strings, the anchor's key in base64. */
export function positionToJson(position: Position): unknown {
  const { anchor, clusterId } = position
  return {
    ...position,
    clusterId: clusterId.toString(),
    anchor: anchor && { ...anchor, key: anchor.key.toString('base64') },
  }
}

/** undefined = not what `positionToJson` makes. */
export function positionFromJson(json: unknown): Position | undefined {
  if (!isRecord(json)) return undefined
  const { epoch, clusterId, revision, raftTerm, keyCount, anchor } = json
  if (!isCount(epoch) || !isCount(revision) || !isCount(raftTerm) || !isCount(keyCount)) return undefined
  if (typeof clusterId !== 'string' || !/^\d{1,20}$/.test(clusterId)) return undefined
  const proof = anchor === undefined ? undefined : anchorFromJson(anchor)
  if (anchor !== undefined && proof === undefined) return undefined
  return { epoch, clusterId: BigInt(clusterId), revision, raftTerm, keyCount, anchor: proof }
}

export function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

export function isCount(json: unknown): json is number {
  return Number.isSafeInteger(json) && Number(json) >= 0
}

function anchorFromJson(json: unknown): Anchor | undefined {
  if (!isRecord(json)) return undefined
  const { key, modRevision, createRevision, version, valueHash } = json
  if (typeof key !== 'string' || typeof valueHash !== 'string') return undefined
  if (!isCount(modRevision) || !isCount(createRevision) || !isCount(version)) return undefined
  return { key: Buffer.from(key, 'base64'), modRevision, createRevision, version, valueHash }
}
