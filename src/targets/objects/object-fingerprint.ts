import { createHash } from 'node:crypto'
import type { KubeObject, ObjectMeta, OwnerReference } from '../../kube/kube-object.ts'
import { ANNOTATIONS, fieldManagerOf, isOwnedBy, LABELS } from './object-identity.ts'

/** What every object of a mirror carries beside what its template says. */
export interface ObjectMarks {
  readonly mirror: string
  /** What the objects go with; undefined = nothing. */
  readonly owner: OwnerReference | undefined
  readonly deletionPolicy: 'Delete' | 'Retain'
}

/** Of what the object holds and of our metadata; not of versions, status, and what others add to its metadata. */
export function fingerprintOf(live: KubeObject, marks: ObjectMarks): string {
  const { metadata, status, apiVersion, kind, ...rest } = live
  return createHash('sha256')
    .update(JSON.stringify([ownMetadata(metadata, marks.mirror), hasRightOwner(live, marks), rest]))
    .digest('base64')
}

/** Whether the object goes with the mirror as `deletionPolicy` wants it. */
export function hasRightOwner(live: KubeObject, { owner, deletionPolicy }: ObjectMarks): boolean {
  return owner === undefined || isOwnedBy(live, owner) === (deletionPolicy === 'Delete')
}

/** Of all that marks an object, what is read again: it is kept in memory. */
export function ownMarks({ labels = {}, annotations = {} }: ObjectMeta) {
  return { labels: pick(labels, Object.values(LABELS)), annotations: pick(annotations, OWN_ANNOTATIONS) }
}

const OWN_ANNOTATIONS: readonly string[] = [ANNOTATIONS.revision, ANNOTATIONS.epoch, ANNOTATIONS.contentHash]

/** Labels and annotations that the API server knows to be ours, besides those that mark the object. */
function ownMetadata(metadata: ObjectMeta, mirror: string) {
  const { labels = {}, annotations = {}, managedFields = [] } = metadata
  const manager = fieldManagerOf(mirror)
  const fields = managedFields.find((entry) => entry.manager === manager && entry.operation === 'Apply')?.fieldsV1
  const named = (fields?.['f:metadata'] ?? {}) as Readonly<Record<string, object | undefined>>
  const namesOf = (field: string) => Object.keys(named[field] ?? {}).map((name) => name.slice(2))
  return [ownMarks(metadata), pick(labels, namesOf('f:labels')), pick(annotations, namesOf('f:annotations'))]
}

function pick(all: Readonly<Record<string, string>>, names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries([...names].sort().flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])))
}
