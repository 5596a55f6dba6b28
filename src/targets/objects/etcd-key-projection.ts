import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { KeyValue } from '../../etcd/key-value.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import type { KubeResource } from '../../kube/kube-resource.ts'
import { objectName } from './object-name.ts'
import type { ObjectProjection, Projected } from './object-projection.ts'
import { DATA_LIMIT_BYTES } from './object-size.ts'

export const ETCD_KEYS: KubeResource = {
  group: 'etcdmirror.dev',
  version: 'v1alpha1',
  plural: 'etcdkeys',
  kind: 'EtcdKey',
}

const FIELDS = [
  'key',
  'keyBase64',
  'value',
  'valueBase64',
  'createRevision',
  'modRevision',
  'version',
  'lease',
] as const

/** One EtcdKey for each key. */
export class EtcdKeyProjection implements ObjectProjection {
  readonly resources = [ETCD_KEYS]
  readonly isGrouped = false
  readonly #mirror: string
  readonly #prefixLength: number

  constructor(mirror: string, prefixLength: number) {
    this.#mirror = mirror
    this.#prefixLength = prefixLength
  }

  sourceOf(relativeKey: Buffer): string {
    return objectName(this.#mirror, relativeKey)
  }

  async project([entry]: readonly KeyValue[]): Promise<Projected> {
    if (entry === undefined) throw new Error('there is no key to project')
    const { key, value } = entry
    const size = key.length + value.length
    if (size > DATA_LIMIT_BYTES)
      return { key, reason: `is larger than one object holds: ${size} of ${DATA_LIMIT_BYTES} bytes` }
    const spec = specOf(entry)
    const name = this.sourceOf(key.subarray(this.#prefixLength))
    return { key, objects: [{ resource: ETCD_KEYS, name, manifest: { metadata: { name }, spec }, hash: hashOf(spec) }] }
  }

  sourceOfObject({ metadata }: KubeObject): string {
    return metadata.name
  }

  sizeOf({ spec }: KubeObject): number {
    const { value, valueBase64 } = (spec ?? {}) as { readonly value?: string; readonly valueBase64?: string }
    return valueBase64 === undefined ? Buffer.byteLength(value ?? '') : Buffer.byteLength(valueBase64, 'base64')
  }

  isSound({ spec }: KubeObject, hash: string): boolean {
    return hashOf((spec ?? {}) as Readonly<Record<string, unknown>>) === hash
  }
}

function specOf({ key, value, createRevision, modRevision, version, lease }: KeyValue) {
  return {
    ...(isUtf8(key) ? { key: key.toString('utf8') } : { keyBase64: key.toString('base64') }),
    ...(isUtf8(value) ? { value: value.toString('utf8') } : { valueBase64: value.toString('base64') }),
    createRevision,
    modRevision,
    version,
    ...(lease !== 0n && { lease: lease.toString(16) }),
  }
}

function hashOf(spec: Readonly<Record<string, unknown>>): string {
  const known = FIELDS.map((field) => spec[field] ?? null)
  const others = Object.keys(spec).filter((field) => !FIELDS.some((each) => each === field))
  return createHash('sha256')
    .update(JSON.stringify([known, others]))
    .digest('hex')
}
