import type { KubeObject, OwnerReference } from '../../kube/kube-object.ts'
import { SinkError } from '../../mirror/sink-error.ts'

/** What marks an object as one that a mirror writes. */
export const LABELS = { managedBy: 'app.kubernetes.io/managed-by', mirror: 'etcdmirror.dev/mirror' } as const

export const ANNOTATIONS = {
  revision: 'etcdmirror.dev/revision',
  epoch: 'etcdmirror.dev/epoch',
  source: 'etcdmirror.dev/source',
  prefix: 'etcdmirror.dev/prefix',
  contentHash: 'etcdmirror.dev/content-hash',
  position: 'etcdmirror.dev/position',
} as const

const MANAGED_BY = 'etcd-mirror'

/** Under which name a mirror holds the fields that it writes. */
export function fieldManagerOf(mirror: string): string {
  return `etcd-mirror/${mirror}`
}

export function ownLabels(mirror: string): Readonly<Record<string, string>> {
  return { [LABELS.managedBy]: MANAGED_BY, [LABELS.mirror]: mirror }
}

/** Selects what a mirror writes. */
export function ownSelector(mirror: string): string {
  return Object.entries(ownLabels(mirror))
    .map(([label, value]) => `${label}=${value}`)
    .join(',')
}

/**
 * Throws `SinkError` TargetForeign when an object is not this mirror's. `isShared`: one that no mirror made will do.
 */
export function assertOwn(
  { metadata }: KubeObject,
  { mirror, target, isShared }: { readonly mirror: string; readonly target: string; readonly isShared: boolean },
): void {
  const { [LABELS.managedBy]: managedBy, [LABELS.mirror]: owner } = metadata.labels ?? {}
  const isOfMirror = managedBy === MANAGED_BY && owner !== undefined
  if (isOfMirror ? owner === mirror : isShared && owner === undefined) return
  const state = isOfMirror ? `it belongs to the mirror ${JSON.stringify(owner)}` : 'it exists and no mirror made it'
  throw new SinkError('TargetForeign', target, `Cannot write ${target}: ${state}`, {
    hint: 'Give the mirror another name for it, or delete the object; creationPolicy: Merge shares one that no mirror made.',
  })
}

/** Whether the object goes with this owner, whatever else it goes with. */
export function isOwnedBy({ metadata }: KubeObject, { uid }: OwnerReference): boolean {
  return metadata.ownerReferences?.some((each) => each.uid === uid) === true
}

/** With `deletionPolicy: Delete` the objects go with their owner, if the mirror has one. */
export function ownerReferences(
  owner: OwnerReference | undefined,
  deletionPolicy: 'Delete' | 'Retain',
): { readonly ownerReferences?: readonly OwnerReference[] } {
  return owner !== undefined && deletionPolicy === 'Delete' ? { ownerReferences: [owner] } : {}
}
