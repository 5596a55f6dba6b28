/** One entry of `metadata.managedFields`. */
export interface ManagedFields {
  readonly manager?: string
  /** `Apply`: somebody who holds to what they wrote. `Update`: somebody who wrote it once. */
  readonly operation?: string
  readonly subresource?: string
  readonly fieldsV1?: Readonly<Record<string, unknown>>
}

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly managedFields?: readonly ManagedFields[]
}

/** Any object of the Kubernetes API. */
export interface KubeObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

/** undefined = no object of the Kubernetes API. */
export function asKubeObject(json: unknown): KubeObject | undefined {
  if (typeof json !== 'object' || json === null || !('metadata' in json)) return undefined
  const { metadata } = json
  return typeof metadata === 'object' && metadata !== null ? (json as KubeObject) : undefined
}

/** Of an object as much as `isKnownVersion` needs. */
export function versionOf({ metadata: { name, uid, resourceVersion } }: KubeObject): KubeObject {
  return { metadata: { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) } }
}

/** Whether `found`, such as a watch shows it, is the version that is known already, or an older one. */
export function isKnownVersion(known: KubeObject | 'absent' | undefined, found: KubeObject | 'absent'): boolean {
  if (known === undefined || known === 'absent' || found === 'absent') return known === found
  const [have, seen] = [known.metadata.resourceVersion ?? '', found.metadata.resourceVersion ?? '']
  if (have === seen) return true
  return known.metadata.uid === found.metadata.uid && BigInt(seen || 0) < BigInt(have || 0)
}
