import type { KubeClient } from '../../kube/kube-client.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import { ResyncNeeded } from '../../mirror/resync-needed.ts'
import type {
  MergedBatch,
  OpenedSink,
  OpenOptions,
  RestoreOptions,
  Sink,
  SnapshotSource,
  Totals,
  WriteOptions,
  WriteResult,
} from '../../mirror/sink.ts'
import { SinkError } from '../../mirror/sink-error.ts'
import type { Position } from '../../replication/position.ts'
import { Semaphore } from '../../util/semaphore.ts'
import { KeyErrorSet } from '../files/key-errors.ts'
import { DriftWatch, type Watched } from './drift-watch.ts'
import { GroupedKeys } from './grouped-keys.ts'
import { IndexObject } from './index-object.ts'
import { KnownObjects } from './known-objects.ts'
import { toTargetError } from './kube-fault.ts'
import { refusedFrom, restText } from './many-objects-rest.ts'
import { ManyObjectsWriter } from './many-objects-writer.ts'
import { ANNOTATIONS, assertOwn, ownSelector } from './object-identity.ts'
import { ObjectPlan, type ObjectPlanParts, type Refusal, type WaitingSources } from './object-plan.ts'
import type { ObjectProjection } from './object-projection.ts'
import { ObjectWriter } from './object-writer.ts'
import { isBehind, type StoredState } from './stored-state.ts'
import { type ObjectSinkOptions, TargetSession } from './target-session.ts'

/** After a change the position is written so soon at the latest: many changes cost one write of it. */
const INDEX_MS = 5000
const SOON_MS = 100
const CLOSE_MS = 3000

export interface ManyObjectsSinkOptions extends ObjectSinkOptions {
  /** Name of the target, for people. */
  readonly target: string
  readonly deletionPolicy: 'Delete' | 'Retain'
  readonly projection: ObjectProjection
}

/** What is known while the objects are ours. */
interface Opened {
  readonly known: KnownObjects
  readonly index: IndexObject
  readonly writer: ObjectWriter
  readonly objects: ManyObjectsWriter
  readonly drift: DriftWatch
  readonly refused: Map<string, Refusal>
  /** Where sources are groups: the keys of the copy; undefined = not known before a snapshot. */
  groups: GroupedKeys | undefined
  waiting: WaitingSources
  published: StoredState['published'] | undefined
  /** All objects are complete up to here. */
  position: Position | undefined
  /** What is being written. */
  next: Position | undefined
  /** Writes the index when it is due. */
  timer: NodeJS.Timeout | undefined
  /** Ends what the timer has begun. */
  readonly stop: AbortController
}

/**
 * A sink that makes objects of keys. Each object is written for itself; what is published is the last revision at which
 * all of them were complete. Memory: what identifies an object, not what it holds; of groups of keys their values.
 */
export class ManyObjectsSink implements Sink {
  readonly #options: ManyObjectsSinkOptions
  readonly #session: TargetSession
  readonly #turn = new Semaphore(1)
  #opened: Opened | undefined

  constructor(options: ManyObjectsSinkOptions) {
    this.#options = options
    this.#session = new TargetSession(options, options.target)
  }

  async open({ signal, onDrift = () => undefined }: OpenOptions): Promise<OpenedSink> {
    return await this.#guard(async () => {
      await this.#stop()
      const { client, namespace } = await this.#session.begin(signal)
      const { deletionPolicy, configHash, projection } = this.#options
      await projection.prepare?.(client, namespace, signal)
      const index = new IndexObject({ sink: this.#options, deletionPolicy, client, namespace })
      const { state: stored, seals } = await index.read(signal)
      const marks = { mirror: this.#options.mirrorName, owner: this.#options.owner, deletionPolicy }
      const known = new KnownObjects({ projection, marks, seals })
      const watched = await this.#list(client, namespace, known, signal)
      const refused = refusedFrom(stored?.rest, known, this.#options)
      const isSameConfig = stored?.configHash === configHash
      const isTrusted = isSameConfig && refused !== undefined && !known.isDrifted
      const parts = { client, namespace, known, index, refused: new Map(refused ?? []), watched, onDrift }
      const opened = this.#openedOf(parts)
      this.#opened = opened
      opened.published = stored && newer(stored.published, known.newest)
      opened.position = isTrusted ? stored.position : undefined
      return {
        position: opened.position,
        published: opened.published,
        keyErrors: this.#keyErrors(opened),
        totals: stored && this.#totals(opened),
        isSameConfig,
      }
    })
  }

  async restore(source: SnapshotSource, options: RestoreOptions): Promise<WriteResult> {
    const { signal } = options
    return await this.#exclusive(signal, async (opened) => {
      const groups = this.#options.projection.isGrouped ? new GroupedKeys() : undefined
      const plan = this.#plan(opened, groups, { onDifference: options.onDifference })
      for await (const page of source.pages) for (const entry of page) await plan.put(entry, signal)
      const { changes, position } = await source.finish()
      await plan.change(changes, signal)
      await plan.complete({ isWhole: true, signal })
      const result = await this.#carryOut(opened, plan, position, options)
      const state = this.#stateOf(opened)
      if (!plan.isEmpty || !state || !opened.index.says(state)) await this.#writeIndex(opened, signal)
      return result
    })
  }

  async ready(): Promise<void> {}

  async apply({ changes, position }: MergedBatch, options: WriteOptions): Promise<WriteResult> {
    const { signal } = options
    return await this.#exclusive(signal, async (opened) => {
      if (opened.position === undefined) throw this.#broken('no complete state is published there')
      const plan = this.#plan(opened, this.#groupsToChange(opened), { waiting: opened.waiting })
      await plan.change(changes, signal)
      await plan.complete({ isWhole: false, signal })
      const result = await this.#carryOut(opened, plan, position, options)
      this.#scheduleIndex(opened)
      return result
    })
  }

  async advance(position: Position, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#exclusive(signal, async (opened) => {
      opened.position = position
      if (opened.index.isDue || isOther(opened)) await this.#writeIndex(opened, signal)
    })
  }

  async verify(): Promise<{ readonly sound: boolean }> {
    return { sound: this.#opened !== undefined && !this.#opened.known.isDrifted }
  }

  objects(): number | undefined {
    return this.#opened?.known.count
  }

  /** Why what others change cannot be noticed; undefined = it is. */
  fault(): SinkError | undefined {
    return this.#opened?.drift.fault
  }

  async close(): Promise<void> {
    const opened = this.#opened
    await this.#stop()
    if (opened?.position && opened.index.stored && opened.position.revision !== opened.index.stored.position.revision) {
      const signal = AbortSignal.timeout(CLOSE_MS)
      await this.#turn.run(() => this.#writeIndex(opened, signal), signal).catch(() => undefined)
    }
    await this.#session.end()
  }

  async #stop(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    clearTimeout(opened?.timer)
    opened?.stop.abort()
    await opened?.drift.stop()
  }

  /** What stands there, and where a watch goes on. */
  async #list(
    client: KubeClient,
    namespace: string,
    known: KnownObjects,
    signal: AbortSignal,
  ): Promise<readonly Watched[]> {
    const { projection, mirrorName } = this.#options
    const watched: Watched[] = []
    for (const resource of projection.resources) {
      const query = { resource, namespace, labelSelector: ownSelector(mirrorName) }
      let resourceVersion = ''
      for await (const page of client.list(query, signal)) {
        for (const object of page.items) known.learn(resource, object)
        resourceVersion = page.resourceVersion
      }
      watched.push({
        query,
        resourceVersion,
        onList: (objects, version) => this.#saw(known.sawAll(resource, objects, version)),
        onChange: (object) => this.#saw(known.saw(resource, object.metadata.name, object)),
        onDelete: (object) => this.#saw(known.saw(resource, object.metadata.name, 'absent')),
      })
    }
    return watched
  }

  #openedOf(parts: {
    readonly client: KubeClient
    readonly namespace: string
    readonly known: KnownObjects
    readonly index: IndexObject
    readonly refused: Map<string, Refusal>
    readonly watched: readonly Watched[]
    readonly onDrift: () => void
  }): Opened {
    const { client, namespace, known, index, refused, watched, onDrift } = parts
    const { mirrorName: mirror, ownerStays, clock, metrics, logger, deletionPolicy, target } = this.#options
    const assertWritable = (live: KubeObject) => this.#assertWritable(live)
    const { hold } = this.#session
    const writer = new ObjectWriter({ client, mirror, hold, ownerStays, clock, metrics, assertWritable })
    const toSinkError = (error: unknown) => {
      const fault = toTargetError(error, target)
      return fault instanceof SinkError ? fault : undefined
    }
    const repair = async () => {
      if (!known.isDrifted || this.#opened?.position === undefined) return false
      onDrift()
      return true
    }
    const objects = new ManyObjectsWriter({ sink: this.#options, deletionPolicy, namespace, known, writer, refused })
    const { follow } = this.#options
    const drift = new DriftWatch({ client, watched, follow, clock, logger, mirror, repair, toSinkError })
    const position = undefined
    return {
      groups: undefined,
      waiting: new Map(),
      known,
      index,
      writer,
      objects,
      drift,
      refused,
      published: undefined,
      position,
      next: position,
      timer: undefined,
      stop: new AbortController(),
    }
  }

  #saw(isDrift: boolean): void {
    if (isDrift) this.#opened?.drift.suspect()
  }

  /** A change of one key needs the others of its group, which a restarted mirror has to read first. */
  #groupsToChange({ groups }: Opened): GroupedKeys | undefined {
    if (!this.#options.projection.isGrouped) return undefined
    if (groups === undefined) throw new ResyncNeeded('start')
    return new GroupedKeys(groups)
  }

  #plan(
    { known }: Opened,
    groups?: GroupedKeys,
    more: Pick<ObjectPlanParts, 'waiting' | 'onDifference'> = {},
  ): ObjectPlan {
    const { projection, prefix } = this.#options
    return new ObjectPlan({ ...more, known, projection, prefixLength: prefix.length, groups })
  }

  /** Of what is visible now. */
  #totals(opened: Opened): Totals | undefined {
    const { projection } = this.#options
    if (projection.isGrouped) return opened.groups?.totals ?? opened.index.totals
    return this.#plan(opened).totals(opened.refused)
  }

  async #carryOut(
    opened: Opened,
    plan: ObjectPlan,
    position: Position,
    { signal, admit }: WriteOptions,
  ): Promise<WriteResult> {
    const { published: before } = opened
    if (before !== undefined && isBehind(position, before))
      throw this.#broken('the revision lies before the published one')
    const isFirst = before === undefined
    if (!plan.isEmpty || isFirst) admit?.(plan.totals(opened.refused))
    else
      this.#options.metrics.add('etcd_mirror_objects_total', { mirror: this.#options.mirrorName, result: 'unchanged' })
    opened.next = position
    const counts = await opened.objects.run(plan.plans, position, signal)
    opened.position = position
    const isPublished = isFirst || counts.written + counts.removed > 0
    if (isPublished) opened.published = { revision: position.revision, epoch: position.epoch }
    opened.groups = plan.groups?.commit()
    opened.waiting = plan.waiting
    const totals = plan.groups?.totals ?? this.#plan(opened).totals(opened.refused)
    return { ...counts, published: isPublished, keyErrors: this.#keyErrors(opened), totals }
  }

  #scheduleIndex(opened: Opened, waitMs = Math.max(SOON_MS, INDEX_MS - opened.index.ageMs)): void {
    if (opened.timer !== undefined || this.#opened !== opened) return
    const { logger, mirrorName: mirror } = this.#options
    const writeLate = () => {
      opened.timer = undefined
      if (this.#opened !== opened) return
      const { signal } = opened.stop
      this.#turn
        .run(() => this.#writeIndex(opened, AbortSignal.any([signal, AbortSignal.timeout(INDEX_MS)])), signal)
        .catch((err: unknown) => {
          if (signal.aborted) return
          logger.warn({ mirror, err }, 'cannot write the position; retrying')
          this.#scheduleIndex(opened, INDEX_MS)
        })
    }
    opened.timer = setTimeout(writeLate, waitMs)
    opened.timer.unref()
  }

  async #writeIndex(opened: Opened, signal: AbortSignal): Promise<void> {
    const { known, refused, index, writer } = opened
    const state = this.#stateOf(opened)
    if (state === undefined) return
    const totals = this.#totals(opened)
    await index.write(writer, state, { totals, keyErrors: refused.size, seals: known.seals() }, signal)
    clearTimeout(opened.timer)
    opened.timer = undefined
  }

  /** For the index; undefined = nothing is published yet. */
  #stateOf(opened: Opened): StoredState | undefined {
    const { position, published } = opened
    if (position === undefined || published === undefined) return undefined
    return { position, published, configHash: this.#options.configHash, rest: restText(opened) }
  }

  /** Whoever wrote last must not be ahead of us. Without an index nothing is known of where the objects came from. */
  #assertWritable(live: KubeObject): void {
    const { mirrorName: mirror, target } = this.#options
    assertOwn(live, { mirror, target: `${target} ${live.metadata.name}`, isShared: false })
    const { [ANNOTATIONS.revision]: revision, [ANNOTATIONS.epoch]: epoch } = live.metadata.annotations ?? {}
    const { next: position, index } = this.#opened ?? {}
    if (revision === undefined || epoch === undefined || position === undefined || index?.stored === undefined) return
    if (!isBehind(position, { revision: Number(revision), epoch: Number(epoch) })) return
    if (index.stored.position.clusterId !== position.clusterId) return
    throw this.#broken(`${live.metadata.name} was written for a later revision`)
  }

  #keyErrors({ refused }: Opened): WriteResult['keyErrors'] {
    const errors = new KeyErrorSet()
    for (const { key, reason } of refused.values()) errors.add(key, reason)
    return errors.summary()
  }

  #broken(state: string): SinkError {
    const { target } = this.#options
    return new SinkError('TargetBroken', target, `Cannot write ${target}: ${state}`)
  }

  async #exclusive<Result>(signal: AbortSignal, work: (opened: Opened) => Promise<Result>): Promise<Result> {
    return await this.#guard(() =>
      this.#turn.run(() => {
        const opened = this.#opened
        if (opened === undefined) throw this.#broken('it is not open')
        return work(opened)
      }, signal),
    )
  }

  async #guard<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw toTargetError(error, this.#options.target)
    }
  }
}

/** After a crash some objects are ahead of the index. */
function newer(published: StoredState['published'], written: StoredState['published'] | undefined) {
  return written !== undefined && isBehind(published, written) ? written : published
}

/** The index tells of another store, or of another epoch of it. */
function isOther({ index: { stored }, position }: Opened): boolean {
  return stored?.position.epoch !== position?.epoch || stored?.position.clusterId !== position?.clusterId
}
