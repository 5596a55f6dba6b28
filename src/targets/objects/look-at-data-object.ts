import type { KubeObject } from '../../kube/kube-object.ts'
import type { Difference } from '../../mirror/sink.ts'
import type { CopyComparison } from '../files/compare-copy.ts'
import type { CopyDifference } from '../files/copy-difference.ts'
import { KeyErrorSet } from '../files/key-errors.ts'
import { type Data, DataObject, type DataObjectTarget } from './data-object.ts'
import { DataRendering } from './data-rendering.ts'
import { tooLarge } from './kube-fault.ts'
import { assertOwn } from './object-identity.ts'
import { DATA_LIMIT_BYTES, dataBytes, STATE_LIMIT_BYTES } from './object-size.ts'
import { PrefixState, stateFrom } from './prefix-state.ts'
import type { LookOptions, StandingObjects, StandingSource } from './standing-objects.ts'
import { storedStateOf } from './stored-state.ts'

/** Looks at the ConfigMap or Secret of a mirror. Rejects with `SinkError` when it is not the mirror's, and with `KubeError`. */
export async function lookAtDataObject(target: DataObjectTarget, options: LookOptions): Promise<StandingObjects> {
  const { client, namespace, mirrorName: mirror, prefix, configHash, signal } = options
  const object = new DataObject({ target, mirror, prefix, owner: undefined })
  const { resource, name } = object
  const live = await client.get({ resource, namespace, name }, signal)
  const isShared = target.options.creationPolicy === 'Merge'
  if (live !== undefined) assertOwn(live, { mirror, target: `${resource.kind} ${name}`, isShared })
  const stored = live && storedStateOf(live)
  const keys =
    live && stored?.rest === undefined ? undefined : live && stateFrom(object.ownData(live), stored?.rest ?? '')?.keys
  return {
    copy: stored && {
      revision: stored.published.revision,
      position: stored.position,
      keys,
      isSameConfig: stored.configHash === configHash,
    },
    compare: (source) => new DataComparison(object, target, live ?? 'absent', prefix).with(source),
  }
}

class DataComparison {
  readonly #object: DataObject
  readonly #target: DataObjectTarget
  readonly #live: KubeObject | 'absent'
  readonly #prefix: Buffer

  constructor(object: DataObject, target: DataObjectTarget, live: KubeObject | 'absent', prefix: Buffer) {
    this.#object = object
    this.#target = target
    this.#live = live
    this.#prefix = prefix
  }

  async with({ pages, position, signal }: StandingSource): Promise<CopyComparison> {
    const state = await this.#stateOf(pages)
    const rendering = new DataRendering(this.#target.options.render)
    const { data, refused } = await rendering.render({ entries: state.sorted, position, signal })
    const bytes = dataBytes(data)
    this.#refuseTooLarge(bytes, DATA_LIMIT_BYTES)
    const errors = new KeyErrorSet()
    for (const { key, reason } of refused) errors.add(Buffer.concat([this.#prefix, key]), reason)
    const differences = this.#object.differences(this.#live, data).map((difference) => this.#sized(difference, data))
    return {
      differences: differences.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      keyErrors: errors.summary(),
      totals: { keys: state.keys, bytes },
    }
  }

  async #stateOf(pages: StandingSource['pages']): Promise<PrefixState> {
    let state = new PrefixState()
    let bytes = 0
    for await (const page of pages) {
      for (const { key, value } of page) bytes += key.length + value.length
      this.#refuseTooLarge(bytes, STATE_LIMIT_BYTES)
      state = state.with(page, this.#prefix.length)
    }
    return state
  }

  #sized({ path, kind, modRevision }: Difference, data: Data): CopyDifference {
    const shown = this.#live === 'absent' ? undefined : this.#object.dataOf(this.#live)
    const facts = (bytes: Buffer | undefined) => bytes && { bytes: bytes.length, mode: undefined }
    const sizes = { before: facts(shown?.get(path)), after: facts(data.get(path)) }
    return { path, kind: KINDS[kind], ...sizes, modRevision, bytes: undefined }
  }

  #refuseTooLarge(bytes: number, limit: number): void {
    const { resource, name } = this.#object
    if (bytes > limit) throw tooLarge(`${resource.kind} ${name}`, bytes, DATA_LIMIT_BYTES)
  }
}

/** A sink says what is wrong with what stands there, a comparison what a publish would do about it. */
const KINDS: Readonly<Record<Difference['kind'], CopyDifference['kind']>> = {
  missing: 'added',
  changed: 'changed',
  added: 'removed',
  mode: 'metadata',
  type: 'type',
}
