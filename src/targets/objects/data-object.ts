import type { KubeObject, OwnerReference } from '../../kube/kube-object.ts'
import { CONFIG_MAPS, type KubeResource, SECRETS } from '../../kube/kube-resource.ts'
import type { Difference } from '../../mirror/sink.ts'
import { bytesOf, configMapFields, secretFields } from './data-fields.ts'
import { ANNOTATIONS, fieldManagerOf, isOwnedBy, ownerReferences, ownLabels } from './object-identity.ts'
import { ANNOTATIONS_LIMIT_BYTES, annotationsBytes } from './object-size.ts'
import type { DataObjectOptions, SecretTargetOptions } from './options.ts'
import { contentHash, type StoredState, storedStateText } from './stored-state.ts'

/** Which of the two kinds of object is written, and how it is called. */
export type DataObjectTarget =
  | { readonly kind: 'ConfigMap'; readonly options: DataObjectOptions }
  | { readonly kind: 'Secret'; readonly options: SecretTargetOptions }

export type Data = ReadonlyMap<string, Buffer>

export interface DataObjectParts {
  readonly target: DataObjectTarget
  readonly mirror: string
  readonly prefix: Buffer
  readonly owner: OwnerReference | undefined
}

/** How a ConfigMap or Secret holds the data of a mirror. */
export class DataObject {
  readonly resource: KubeResource
  readonly name: string
  readonly #parts: DataObjectParts

  constructor(parts: DataObjectParts) {
    this.#parts = parts
    this.resource = parts.target.kind === 'ConfigMap' ? CONFIG_MAPS : SECRETS
    this.name = parts.target.options.name
  }

  /** The fields that are ours, all of them. */
  manifest(data: Data, state: StoredState): KubeObject {
    const { target, mirror } = this.#parts
    const { labels } = target.options
    return {
      metadata: {
        name: this.name,
        labels: { ...labels, ...ownLabels(mirror) },
        annotations: this.#annotations(data, state),
        ...this.#ownerReferences(),
      },
      ...(target.kind === 'ConfigMap' ? configMapFields(data) : { ...secretFields(data), type: target.options.type }),
    }
  }

  /** What the object holds of this mirror. In Merge others may have written the rest. */
  ownData(live: KubeObject): Data {
    const own = this.#ownNames(live)
    return new Map([...this.dataOf(live)].filter(([name]) => own.has(name)))
  }

  /** Names of data that others have put there. */
  foreignNames(live: KubeObject, data: Data): readonly string[] {
    const own = this.#ownNames(live)
    return [...this.dataOf(live).keys()].filter((name) => !own.has(name) && !data.has(name))
  }

  /** What of the object is not as it should be; the position does not count. */
  differences(live: KubeObject | 'absent', data: Data): readonly Difference[] {
    if (live === 'absent') return this.#allMissing(data)
    const shown = this.dataOf(live)
    const own = this.#ownNames(live)
    const differences: Difference[] = []
    const add = (path: string, kind: Difference['kind']) => differences.push({ path, kind, modRevision: undefined })
    for (const [name, value] of data) {
      const found = shown.get(name)
      if (found === undefined) add(name, 'missing')
      else if (!found.equals(value)) add(name, 'changed')
    }
    for (const name of shown.keys()) if (own.has(name) && !data.has(name)) add(name, 'added')
    if (!this.#hasMetadata(live)) add('metadata', 'mode')
    return differences
  }

  #allMissing(data: Data): readonly Difference[] {
    const paths = data.size === 0 ? [this.name] : [...data.keys()]
    return paths.map((path) => ({ path, kind: 'missing', modRevision: undefined }))
  }

  #annotations(data: Data, state: StoredState): Readonly<Record<string, string>> {
    const { target, prefix } = this.#parts
    const { published } = state
    const annotations = {
      ...target.options.annotations,
      [ANNOTATIONS.revision]: String(published.revision),
      [ANNOTATIONS.prefix]: prefix.toString('utf8'),
      [ANNOTATIONS.contentHash]: contentHash(data),
      [ANNOTATIONS.position]: storedStateText(state),
    }
    if (annotationsBytes(annotations) <= ANNOTATIONS_LIMIT_BYTES) return annotations
    return { ...annotations, [ANNOTATIONS.position]: storedStateText({ ...state, rest: undefined }) }
  }

  #hasMetadata(live: KubeObject): boolean {
    const { metadata } = live
    const { target, mirror } = this.#parts
    const { labels, annotations } = target.options
    const holds = (all: Readonly<Record<string, string>> | undefined, wanted: Readonly<Record<string, string>>) =>
      Object.entries(wanted).every(([key, value]) => all?.[key] === value)
    // Somebody may have orphaned it. Owners that others have added are theirs.
    const { ownerReferences: owners = [] } = this.#ownerReferences()
    const isOwned = owners.every((owner) => isOwnedBy(live, owner))
    return (
      isOwned && holds(metadata.labels, { ...labels, ...ownLabels(mirror) }) && holds(metadata.annotations, annotations)
    )
  }

  /** What is shared does not go with the mirror: the data of others would go too. */
  #ownerReferences(): ReturnType<typeof ownerReferences> {
    const { creationPolicy, deletionPolicy } = this.#parts.target.options
    return creationPolicy === 'Merge' ? {} : ownerReferences(this.#parts.owner, deletionPolicy)
  }

  /** Everything that the object holds. */
  dataOf(live: KubeObject): Data {
    return bytesOf(this.#parts.target.kind, live as Parameters<typeof bytesOf>[1])
  }

  #ownNames({ metadata }: KubeObject): ReadonlySet<string> {
    const manager = fieldManagerOf(this.#parts.mirror)
    const entries = (metadata.managedFields ?? []).filter((entry) => entry.manager === manager)
    const names = entries.flatMap(({ fieldsV1 = {} }) =>
      ['f:data', 'f:binaryData'].flatMap((field) => Object.keys((fieldsV1[field] ?? {}) as object)),
    )
    return new Set(names.filter((name) => name.startsWith('f:')).map((name) => name.slice(2)))
  }
}
