import { type KubeClient, nameOf, type ObjectRef } from '../../kube/kube-client.ts'
import { KubeError } from '../../kube/kube-error.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import type { Hold } from '../../kube/lease.ts'
import { SinkError } from '../../mirror/sink-error.ts'
import type { Clock } from '../../util/clock.ts'
import type { Metrics } from '../../util/metrics.ts'
import { ConflictPolicy } from './conflict-policy.ts'
import { fieldManagerOf, isOwnedBy } from './object-identity.ts'

const MAX_TRIES = 5
/** So long it counts for objects that are made anew that their owner is to stay: many at once are not asked for one by one. */
const STAYS_MS = 1000

export interface ObjectWriterOptions {
  readonly client: KubeClient
  readonly mirror: string
  /** undefined = nobody else can write. */
  readonly hold: Hold | undefined
  /** Whether what owns the objects is to stay; undefined = it is. */
  readonly ownerStays: ((signal: AbortSignal) => Promise<boolean>) | undefined
  readonly clock: Clock
  readonly metrics: Metrics
  /** Throws `SinkError` when what stands there must not be written over. */
  readonly assertWritable: (live: KubeObject) => void
}

/** Writes objects, each as one, and only over what was read. Throws `SinkError` and `KubeError`, and the abort reason. */
export class ObjectWriter {
  readonly #options: ObjectWriterOptions
  readonly #conflicts: ConflictPolicy
  #stayedMs = Number.NEGATIVE_INFINITY

  constructor(options: ObjectWriterOptions) {
    this.#options = options
    this.#conflicts = new ConflictPolicy(() => options.clock.monotonic())
  }

  /**
   * Makes our fields of the object what `object` says. `live`: what stands there as far as is known, `absent` included;
   * read again when it has changed meanwhile.
   */
  async write(
    ref: ObjectRef,
    object: KubeObject,
    live: KubeObject | 'absent' | undefined,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    let expected = live
    for (let attempt = 1; ; attempt++) {
      expected ??= (await this.#options.client.get(ref, signal)) ?? 'absent'
      if (expected !== 'absent') this.#options.assertWritable(expected)
      await this.#assertOwnable(ref, object, expected, signal)
      try {
        return await this.#apply(ref, object, expected, signal)
      } catch (error) {
        // Fields that others hold are found before the version is compared: then it is not absent any more. Who holds to
        // them tells only what was read as a whole.
        const isStale = isConflict(error) && (!tellsManagers(expected) || error.heldFields.length === 0)
        if (!isStale || attempt === MAX_TRIES) throw error
        expected = undefined
      }
    }
  }

  /**
   * The garbage collector takes the owner from what is to outlive it, before that is gone, and deletes what has an owner that
   * is: an owner that the object lacks is written only while it is to stay. Asked after the object was read.
   */
  async #assertOwnable(
    ref: ObjectRef,
    { metadata: { ownerReferences: owners = [] } }: KubeObject,
    expected: KubeObject | 'absent',
    signal: AbortSignal,
  ): Promise<void> {
    const { ownerStays, clock } = this.#options
    const isAbsent = expected === 'absent'
    if (ownerStays === undefined || owners.every((owner) => !isAbsent && isOwnedBy(expected, owner))) return
    const nowMs = clock.monotonic()
    if (isAbsent && nowMs - this.#stayedMs < STAYS_MS) return
    if (!(await ownerStays(signal))) {
      const name = nameOf(ref)
      throw new SinkError('TargetNotWritable', name, `Cannot write ${name}: what it belongs to is being deleted`)
    }
    this.#stayedMs = nowMs
  }

  /** Resolves when it is gone; what stands there is read again when it has changed meanwhile. */
  async delete(ref: ObjectRef, live: KubeObject, signal: AbortSignal): Promise<void> {
    const { client, assertWritable } = this.#options
    let expected: KubeObject | undefined = live
    for (let attempt = 1; expected !== undefined; attempt++) {
      assertWritable(expected)
      this.#assertAlone(ref)
      try {
        return await client.delete(ref, expected, signal)
      } catch (error) {
        if (!isConflict(error) || attempt === MAX_TRIES) throw error
        expected = await client.get(ref, signal)
      }
    }
  }

  async #apply(
    ref: ObjectRef,
    object: KubeObject,
    expected: KubeObject | 'absent',
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const { client, mirror } = this.#options
    const context = { signal, fieldManager: fieldManagerOf(mirror), expected }
    this.#assertAlone(ref)
    try {
      return await client.apply(ref, object, context)
    } catch (error) {
      if (!isConflict(error) || error.heldFields.length === 0 || !tellsManagers(expected)) throw error
      this.#settle(ref, expected, error)
      this.#assertAlone(ref)
      return await client.apply(ref, object, { ...context, force: true })
    }
  }

  #settle(ref: ObjectRef, live: KubeObject, error: KubeError): void {
    const { mirror, metrics } = this.#options
    const claimant = this.#conflicts.claimant(live, error.heldFields)
    const result = claimant === undefined ? 'repaired' : 'refused'
    metrics.add('etcd_mirror_object_conflicts_total', { mirror, result })
    if (claimant === undefined) return
    const name = nameOf(ref)
    const fields = `${error.heldFields.length} field${error.heldFields.length === 1 ? '' : 's'}`
    const message = `Cannot write ${name}: the field manager ${JSON.stringify(claimant)} holds ${fields} of it`
    throw new SinkError('TargetConflict', name, message, {
      cause: error,
      hint: 'Only one of the two can write them: take them out of the other, or give the mirror another object.',
    })
  }

  /** After a pause of the process another one may have taken over. */
  #assertAlone(ref: ObjectRef): void {
    const { hold } = this.#options
    if (hold === undefined || hold.isHeld) return
    throw new SinkError('TargetBusy', nameOf(ref), `Cannot write ${nameOf(ref)}: the Lease could not be renewed`)
  }
}

/** What is kept of many objects is their identity alone. */
function tellsManagers(live: KubeObject | 'absent'): live is KubeObject {
  return live !== 'absent' && live.metadata.managedFields !== undefined
}

function isConflict(error: unknown): error is KubeError {
  return error instanceof KubeError && error.code === 'KubeConflict'
}
