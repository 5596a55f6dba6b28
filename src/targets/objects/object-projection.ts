import type { KeyValue } from '../../etcd/key-value.ts'
import type { KubeClient } from '../../kube/kube-client.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import type { KubeResource } from '../../kube/kube-resource.ts'

/** One object as it should be; what every object of a mirror carries is added where it is written. */
export interface DesiredObject {
  readonly resource: KubeResource
  readonly name: string
  /** Everything but the name and what marks the object as the mirror's. */
  readonly manifest: KubeObject
  /** Of the manifest: another one for every other manifest. */
  readonly hash: string
}

/**
 * What one source (a key, or a group of keys) becomes. `key`: what it is called in reports. `reason`: why it becomes
 * nothing; holds no value.
 */
export type Projected =
  | { readonly key: Buffer; readonly objects: readonly DesiredObject[]; readonly reason?: undefined }
  | { readonly key: Buffer; readonly objects?: undefined; readonly reason: string }

/** How keys become objects. */
export interface ObjectProjection {
  /** Called before anything else, and whenever the target is opened. Rejects with `KubeError`. */
  prepare?(client: KubeClient, namespace: string, signal: AbortSignal): Promise<void>
  /** Kinds that may be written. */
  readonly resources: readonly KubeResource[]
  /** Whether a source may have many keys. Then all of them are kept in memory. */
  readonly isGrouped: boolean
  /** Names the source of a key's objects, by the key below the prefix; no longer than a name. */
  sourceOf(relativeKey: Buffer): string
  /**
   * `entries`: all keys of one source, at least one, sorted. Rejects with `GuardError` when it is not the key that is at
   * fault, and with the abort reason.
   */
  project(entries: readonly KeyValue[], signal: AbortSignal): Promise<Projected>
  /** The source of an object that stands there; undefined = it names none. */
  sourceOfObject(live: KubeObject): string | undefined
  /** Bytes of values that it holds. */
  sizeOf(live: KubeObject): number
  /** Whether what stands there is what its hash says. Absent: an object does not tell, the API may have added to it. */
  isSound?(live: KubeObject, hash: string): boolean
}
