import type { KubeClient, ObjectRef } from '../../kube/kube-client.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import { CONFIG_MAPS } from '../../kube/kube-resource.ts'
import type { Totals } from '../../mirror/sink.ts'
import { ANNOTATIONS, assertOwn, ownerReferences, ownLabels } from './object-identity.ts'
import type { ObjectWriter } from './object-writer.ts'
import { type StoredIndex, storedIndexOf } from './stored-index.ts'
import { type StoredState, storedStateText } from './stored-state.ts'
import { leaseName, type ObjectSinkOptions } from './target-session.ts'

/** Name of the ConfigMap that says where a mirror of many objects stands. */
export function indexName(mirror: string): string {
  return leaseName(mirror)
}

/** A position alone is written so seldom: an idle mirror in a busy etcd costs the API server nothing. */
const PROGRESS_MS = 300_000

export interface IndexObjectOptions {
  readonly sink: ObjectSinkOptions
  readonly deletionPolicy: 'Delete' | 'Retain'
  readonly client: KubeClient
  readonly namespace: string
}

/** What the index tells beside the position, for people as well. */
export interface IndexContent {
  /** Of the copy; undefined = not known. */
  readonly totals: Totals | undefined
  readonly keyErrors: number
  /** See `KnownObjects.seals`. */
  readonly seals: readonly string[]
}

/** Holds the position of a mirror that writes many objects: a ConfigMap of its own. */
export class IndexObject {
  readonly #options: IndexObjectOptions
  readonly #ref: ObjectRef
  #live: KubeObject | 'absent' | undefined
  #stored: Omit<StoredIndex, 'seals'> = storedIndexOf(undefined)
  #writtenMs = Number.NEGATIVE_INFINITY

  constructor(options: IndexObjectOptions) {
    this.#options = options
    const name = indexName(options.sink.mirrorName)
    this.#ref = { resource: CONFIG_MAPS, namespace: options.namespace, name }
  }

  /** As it was read or written last. */
  get stored(): StoredState | undefined {
    return this.#stored.state
  }

  /** As they were read or written last; undefined = not known. */
  get totals(): Totals | undefined {
    return this.#stored.totals
  }

  /** Whether a position alone is to be written again. */
  get isDue(): boolean {
    return this.ageMs >= PROGRESS_MS
  }

  /** Milliseconds since it was written, or read first. */
  get ageMs(): number {
    return this.#options.sink.clock.monotonic() - this.#writtenMs
  }

  /** Whether it says all of this, but for a position that is not due: the same newest key, up to an earlier revision. */
  says(state: StoredState): boolean {
    const { state: stored } = this.#stored
    if (stored?.rest === undefined || this.isDue) return false
    const { revision } = stored.position
    return storedStateText(stored) === storedStateText({ ...state, position: { ...state.position, revision } })
  }

  async read(signal: AbortSignal): Promise<StoredIndex> {
    const found = await this.#options.client.get(this.#ref, signal)
    this.#live = found ?? 'absent'
    const { mirrorName: mirror } = this.#options.sink
    if (found) assertOwn(found, { mirror, target: `ConfigMap ${this.#ref.name}`, isShared: false })
    const stored = storedIndexOf(found)
    this.#stored = stored
    this.#writtenMs = this.#options.sink.clock.monotonic()
    return stored
  }

  async write(
    writer: ObjectWriter,
    state: StoredState,
    { totals, keyErrors, seals }: IndexContent,
    signal: AbortSignal,
  ) {
    const { sink, deletionPolicy } = this.#options
    const counts = totals && { keys: String(totals.keys), bytes: String(totals.bytes) }
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
      data: { ...counts, keyErrors: String(keyErrors) },
      ...(seals.length > 0 && { binaryData: { seals: seals.join('') } }),
    }
    const before = this.#live
    this.#live = undefined
    this.#live = await writer.write(this.#ref, manifest, before, signal)
    this.#stored = { state, totals }
    this.#writtenMs = sink.clock.monotonic()
  }
}
