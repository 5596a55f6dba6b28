import type { KubeClient, ObjectRef } from '../../kube/kube-client.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import { CONFIG_MAPS } from '../../kube/kube-resource.ts'
import { ANNOTATIONS, assertOwn, ownerReferences, ownLabels } from './object-identity.ts'
import type { ObjectWriter } from './object-writer.ts'
import { type StoredState, storedStateOf, storedStateText } from './stored-state.ts'
import { leaseName, type ObjectSinkOptions } from './target-session.ts'

/** Name of the ConfigMap that says where a mirror of many objects stands. */
export function indexName(mirror: string): string {
  return leaseName(mirror)
}

export interface IndexObjectOptions {
  readonly sink: ObjectSinkOptions
  readonly deletionPolicy: 'Delete' | 'Retain'
  readonly client: KubeClient
  readonly namespace: string
}

/** Holds the position of a mirror that writes many objects: a ConfigMap of its own. */
export class IndexObject {
  readonly #options: IndexObjectOptions
  readonly #ref: ObjectRef
  #live: KubeObject | 'absent' | undefined
  #stored: StoredState | undefined
  #writtenMs = Number.NEGATIVE_INFINITY

  constructor(options: IndexObjectOptions) {
    this.#options = options
    const name = indexName(options.sink.mirrorName)
    this.#ref = { resource: CONFIG_MAPS, namespace: options.namespace, name }
  }

  /** As it was read or written last. */
  get stored(): StoredState | undefined {
    return this.#stored
  }

  /** Milliseconds since it was written. */
  get ageMs(): number {
    return this.#options.sink.clock.monotonic() - this.#writtenMs
  }

  /** Whether it says all of that already, but for how far in the same history the copy is known to be complete. */
  tells({ position, published, configHash, rest }: StoredState): boolean {
    const stored = this.#stored
    return (
      stored !== undefined &&
      stored.position.epoch === position.epoch &&
      stored.position.clusterId === position.clusterId &&
      stored.published.revision === published.revision &&
      stored.configHash === configHash &&
      stored.rest === rest
    )
  }

  async read(signal: AbortSignal): Promise<StoredState | undefined> {
    this.#live = (await this.#options.client.get(this.#ref, signal)) ?? 'absent'
    if (this.#live === 'absent') return undefined
    const { mirrorName: mirror } = this.#options.sink
    assertOwn(this.#live, { mirror, target: `ConfigMap ${this.#ref.name}`, isShared: false })
    this.#stored = storedStateOf(this.#live)
    return this.#stored
  }

  async write(writer: ObjectWriter, state: StoredState, data: Readonly<Record<string, string>>, signal: AbortSignal) {
    const { sink, deletionPolicy } = this.#options
    const { revision, epoch } = state.published
    const manifest: KubeObject = {
      metadata: {
        name: this.#ref.name,
        labels: ownLabels(sink.mirrorName),
        annotations: {
          [ANNOTATIONS.prefix]: sink.prefix.toString('utf8'),
          [ANNOTATIONS.revision]: String(revision),
          [ANNOTATIONS.epoch]: String(epoch),
          [ANNOTATIONS.position]: storedStateText(state),
        },
        ...ownerReferences(sink.owner, deletionPolicy),
      },
      data,
    }
    const before = this.#live
    this.#live = undefined
    this.#live = await writer.write(this.#ref, manifest, before, signal)
    this.#stored = state
    this.#writtenMs = sink.clock.monotonic()
  }
}
