import type { KubeClient, ObjectRef } from '../../kube/kube-client.ts'
import { isKnownVersion, type KubeObject, versionOf } from '../../kube/kube-object.ts'
import type {
  Difference,
  MergedBatch,
  OpenedSink,
  RestoreOptions,
  Sink,
  SnapshotSource,
  WriteOptions,
  WriteResult,
} from '../../mirror/sink.ts'
import { SinkError } from '../../mirror/sink-error.ts'
import type { Position } from '../../replication/position.ts'
import { Semaphore } from '../../util/semaphore.ts'
import { DocumentInPool } from '../render/document-in-pool.ts'
import { DataObject, type DataObjectTarget } from './data-object.ts'
import { DataObjectReport } from './data-object-report.ts'
import type { Opened, Rendered } from './data-object-state.ts'
import { totalsOf } from './data-object-state.ts'
import { DataRendering } from './data-rendering.ts'
import { DriftWatch } from './drift-watch.ts'
import { tooLarge, toTargetError } from './kube-fault.ts'
import { ANNOTATIONS, assertOwn } from './object-identity.ts'
import { DATA_LIMIT_BYTES, dataBytes, STATE_LIMIT_BYTES } from './object-size.ts'
import { ObjectWriter } from './object-writer.ts'
import { PrefixState, restOf, type StateChange, stateFrom } from './prefix-state.ts'
import { PublishPace } from './publish-pace.ts'
import { toStateChange } from './state-change.ts'
import { contentHash, isBehind, storedStateOf } from './stored-state.ts'
import { type ObjectSinkOptions, TargetSession } from './target-session.ts'

/** A position alone is written so seldom: an idle mirror in a busy etcd costs the API server nothing. */
const PROGRESS_MS = 300_000
const CLOSE_MS = 3000

export interface DataObjectSinkOptions extends ObjectSinkOptions {
  readonly target: DataObjectTarget
}

/** A sink that keeps a prefix in one ConfigMap or Secret: every write is the whole object, at one revision. */
export class DataObjectSink implements Sink {
  readonly #options: DataObjectSinkOptions
  readonly #object: DataObject
  readonly #rendering: DataRendering
  readonly #target: string
  readonly #session: TargetSession
  readonly #pace: PublishPace
  readonly #report: DataObjectReport
  readonly #hasTreeAlone: boolean
  /** A repair and what the mirror asks for come one after the other. */
  #turn = new Semaphore(1)
  #opened: Opened | undefined

  constructor(options: DataObjectSinkOptions) {
    this.#options = options
    const { target, prefix, owner, mirrorName, rendering } = options
    const { render, creationPolicy } = target.options
    this.#object = new DataObject({ target, mirror: mirrorName, prefix, owner })
    this.#report = new DataObjectReport({ sink: options, object: this.#object, creationPolicy })
    this.#rendering = new DataRendering(render, rendering && ((document) => new DocumentInPool(document, rendering)))
    this.#hasTreeAlone = render.length === 1 && render[0]?.tree !== undefined
    this.#target = `${this.#object.resource.kind} ${this.#object.name}`
    this.#session = new TargetSession(options, this.#target)
    this.#pace = new PublishPace(options.clock)
  }

  async open({ signal }: { readonly signal: AbortSignal }): Promise<OpenedSink> {
    return await this.#guard(async () => {
      await this.#opened?.drift.stop()
      this.#opened = undefined
      const { client, namespace } = await this.#session.begin(signal)
      const ref = { resource: this.#object.resource, namespace, name: this.#object.name }
      const live: KubeObject | 'absent' = (await client.get(ref, signal)) ?? 'absent'
      if (live !== 'absent') this.#assertOurs(live)
      const opened = this.#openedOf(client, ref, live)
      this.#opened = opened
      const { stored } = opened
      const isSameConfig = stored?.configHash === this.#options.configHash
      if (isSameConfig) opened.shown = await this.#shownBefore(opened, signal)
      const { shown } = opened
      opened.position = shown && stored?.position
      return {
        position: opened.position,
        published: opened.published,
        keyErrors: this.#report.keyErrors(shown?.refused ?? []),
        totals: shown && totalsOf(shown),
        isSameConfig,
      }
    })
  }

  async restore(source: SnapshotSource, options: RestoreOptions): Promise<WriteResult> {
    let state = new PrefixState()
    let bytes = 0
    for await (const page of source.pages) {
      for (const { key, value } of page) bytes += key.length - this.#options.prefix.length + value.length
      if (bytes > (this.#hasTreeAlone ? DATA_LIMIT_BYTES : STATE_LIMIT_BYTES)) throw this.#tooLarge(bytes)
      state = this.#with(state, page)
    }
    const { changes, position } = await source.finish()
    return await this.#publish(this.#with(state, changes.map(toStateChange)), position, options)
  }

  async ready({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#pace.ready(signal)
  }

  async apply({ changes, position }: MergedBatch, options: WriteOptions): Promise<WriteResult> {
    const { state } = this.#shown()
    return await this.#publish(this.#with(state, changes.map(toStateChange)), position, options)
  }

  async advance(position: Position, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#exclusive(signal, async (opened) => {
      opened.position = position
      await this.#remember(opened, this.#shown(), signal)
    })
  }

  async verify({ signal }: { readonly signal: AbortSignal }): Promise<{ readonly sound: boolean }> {
    const opened = this.#opened
    if (opened === undefined) return { sound: false }
    return await this.#exclusive(signal, async () => {
      const live = await opened.client.get(opened.ref, signal)
      opened.live = live ?? 'absent'
      return { sound: live !== undefined && this.#differences(opened, live).length === 0 }
    })
  }

  /** What is wrong with the object and is being repaired; undefined = nothing. */
  fault(): SinkError | undefined {
    return this.#opened?.drift.fault
  }

  objects(): number | undefined {
    const opened = this.#opened
    if (opened === undefined) return undefined
    return opened.published === undefined || opened.live === 'absent' ? 0 : 1
  }

  async close(): Promise<void> {
    await this.#opened?.drift.stop()
    if (this.#opened !== undefined) await this.#leavePosition(this.#opened)
    this.#opened = undefined
    await this.#session.end()
  }

  /** The next process goes on where this one ends. */
  async #leavePosition(opened: Opened): Promise<void> {
    const { shown, stored, position } = opened
    if (shown === undefined || stored === undefined || position?.revision === stored.position.revision) return
    const signal = AbortSignal.timeout(CLOSE_MS)
    await this.#turn.run(() => this.#write(opened, shown, signal), signal).catch(() => undefined)
  }

  #openedOf(client: KubeClient, ref: ObjectRef, live: KubeObject | 'absent'): Opened {
    const { mirrorName, ownerStays, clock, metrics, logger } = this.#options
    const stored = live === 'absent' ? undefined : storedStateOf(live)
    const { hold } = this.#session
    const assertWritable = (found: KubeObject) => this.#assertWritable(found)
    const saw = (found: KubeObject | 'absent') => this.#saw(found)
    return {
      client,
      ref,
      writer: new ObjectWriter({ client, mirror: mirrorName, hold, ownerStays, clock, metrics, assertWritable }),
      drift: new DriftWatch({
        client,
        watched: [
          {
            query: { ...ref, fieldSelector: `metadata.name=${ref.name}` },
            onList: ([found]) => saw(found ?? 'absent'),
            onChange: saw,
            onDelete: () => saw('absent'),
          },
        ],
        follow: this.#options.follow,
        clock,
        logger,
        mirror: mirrorName,
        repair: (signal) => this.#repair(signal),
        toSinkError: (error) => {
          const fault = toTargetError(error, this.#target)
          return fault instanceof SinkError ? fault : undefined
        },
      }),
      live,
      seen: undefined,
      shown: undefined,
      published: stored?.published,
      stored,
      storedMs: clock.monotonic(),
      position: undefined,
    }
  }

  /** The state that the object holds; undefined = it cannot be told, or somebody has changed it since. */
  async #shownBefore({ live, stored }: Opened, signal: AbortSignal): Promise<Rendered | undefined> {
    if (live === 'absent' || live === undefined || stored?.rest === undefined || !this.#hasTreeAlone) return undefined
    const data = this.#object.ownData(live)
    const state = stateFrom(data, stored.rest)
    if (state === undefined) return undefined
    const shown = await this.#render(state, stored.position, signal)
    const isSound = this.#object.differences(live, shown.data).length === 0
    return isSound && contentHash(shown.data) === live.metadata.annotations?.[ANNOTATIONS.contentHash]
      ? shown
      : undefined
  }

  async #publish(state: PrefixState, position: Position, options: RestoreOptions): Promise<WriteResult> {
    const { signal, admit, onDifference = () => undefined } = options
    return await this.#exclusive(signal, async (opened) => {
      const next = await this.#render(state, position, signal)
      this.#refuseStepBack(opened, position)
      opened.live ??= (await opened.client.get(opened.ref, signal)) ?? 'absent'
      if (opened.live !== 'absent') this.#assertWritable(opened.live, position)
      const differences = this.#object.differences(opened.live, next.data)
      for (const difference of differences) onDifference(difference)
      if (differences.length === 0 && opened.published !== undefined) {
        return await this.#keep(opened, next, position, signal)
      }
      admit?.(totalsOf(next))
      return await this.#show(opened, next, position, differences, signal)
    })
  }

  /** What is there is equal already. */
  async #keep(opened: Opened, next: Rendered, position: Position, signal: AbortSignal): Promise<WriteResult> {
    opened.shown = next
    opened.position = position
    this.#report.count('unchanged')
    await this.#remember(opened, next, signal)
    return { written: 0, removed: 0, published: false, ...this.#resultOf(next) }
  }

  async #show(
    opened: Opened,
    next: Rendered,
    position: Position,
    differences: readonly Difference[],
    signal: AbortSignal,
  ): Promise<WriteResult> {
    const bytes = dataBytes(next.data)
    if (bytes > DATA_LIMIT_BYTES) throw this.#tooLarge(bytes)
    const { revision, epoch } = position
    const before = { published: opened.published, position: opened.position }
    Object.assign(opened, { published: { revision, epoch }, position })
    try {
      await this.#pace.timed(() => this.#write(opened, next, signal))
    } catch (error) {
      Object.assign(opened, before)
      throw error
    }
    opened.shown = next
    const removed = differences.filter(({ kind }) => kind === 'added').length
    return { written: differences.length - removed, removed, published: true, ...this.#resultOf(next) }
  }

  /** Writes the position when it says something that cannot wait, or has waited long enough. */
  async #remember(opened: Opened, shown: Rendered, signal: AbortSignal): Promise<void> {
    const { position, stored, storedMs } = opened
    const isUrgent =
      stored === undefined ||
      stored.configHash !== this.#options.configHash ||
      stored.position.epoch !== position?.epoch ||
      stored.position.clusterId !== position.clusterId
    const isDue = this.#options.clock.monotonic() - storedMs >= PROGRESS_MS
    if (isUrgent || isDue) await this.#write(opened, shown, signal)
  }

  /** Makes the object what `rendered` says, under the position of `opened`. */
  async #write(opened: Opened, rendered: Rendered, signal: AbortSignal): Promise<void> {
    const { position, published } = opened
    if (position === undefined || published === undefined) throw new Error('there is nothing to write yet')
    const { data, state, refused } = rendered
    const rest = this.#hasTreeAlone ? restOf(data.keys(), state.sorted, refused) : undefined
    const stored = { position, published, configHash: this.#options.configHash, rest }
    try {
      const manifest = this.#object.manifest(data, stored)
      opened.live = await opened.writer.write(opened.ref, manifest, opened.live, signal)
    } catch (error) {
      // It may have been written all the same.
      opened.live = undefined
      throw error
    }
    this.#report.count('written')
    opened.stored = stored
    opened.storedMs = this.#options.clock.monotonic()
    this.#report.foreign(opened.live, data)
  }

  #saw(found: KubeObject | 'absent'): void {
    const opened = this.#opened
    if (opened === undefined) return
    opened.seen = found === 'absent' ? found : versionOf(found)
    if (!isKnownVersion(opened.live, found)) opened.drift.suspect()
  }

  async #repair(signal: AbortSignal): Promise<boolean> {
    return await this.#exclusive(signal, async (opened) => {
      const { shown, ref, client, seen, drift } = opened
      // Before a snapshot nothing is known that could be repaired.
      if (shown === undefined) return false
      if (!drift.isRepairing && seen !== undefined && isKnownVersion(opened.live, seen)) return false
      opened.live = (await client.get(ref, signal)) ?? 'absent'
      const differences = this.#differences(opened, opened.live)
      if (differences.length === 0) {
        if (opened.live !== 'absent') this.#report.foreign(opened.live, shown.data)
        return false
      }
      await this.#write(opened, shown, signal)
      this.#report.repaired(differences.length)
      return true
    })
  }

  #differences({ shown }: Opened, live: KubeObject | 'absent'): readonly Difference[] {
    return shown === undefined ? [] : this.#object.differences(live, shown.data)
  }

  async #render(state: PrefixState, position: Position, signal: AbortSignal): Promise<Rendered> {
    return { state, ...(await this.#rendering.render({ entries: state.sorted, position, signal })) }
  }

  #with(state: PrefixState, changes: Iterable<StateChange>): PrefixState {
    return state.with(changes, this.#options.prefix.length)
  }

  #shown(): Rendered {
    const shown = this.#opened?.shown
    if (shown !== undefined) return shown
    throw this.#broken('no complete state is published there', 'A snapshot makes the copy anew.')
  }

  #refuseStepBack({ published }: Opened, position: Position): void {
    if (published === undefined || !isBehind(position, published)) return
    const states = `epoch ${position.epoch} revision ${position.revision} lies before epoch ${published.epoch} revision ${published.revision}`
    throw this.#broken(states, 'Report this: published revisions never go back within an epoch.')
  }

  #assertOurs(live: KubeObject): void {
    const isShared = this.#options.target.options.creationPolicy === 'Merge'
    assertOwn(live, { mirror: this.#options.mirrorName, target: this.#target, isShared })
  }

  /** Whoever wrote last must not be ahead of us. */
  #assertWritable(live: KubeObject, position = this.#opened?.position): void {
    this.#assertOurs(live)
    const stored = storedStateOf(live)
    if (stored === undefined || position === undefined || !isBehind(position, stored.published)) return
    if (stored.position.clusterId !== position.clusterId) return
    throw this.#broken('another process has written a later revision', 'The mirror goes on from there.')
  }

  #resultOf(shown: Rendered): Pick<WriteResult, 'keyErrors' | 'totals'> {
    return { keyErrors: this.#report.keyErrors(shown.refused), totals: totalsOf(shown) }
  }

  #tooLarge(bytes: number): SinkError {
    return tooLarge(this.#target, bytes, DATA_LIMIT_BYTES)
  }

  #broken(state: string, hint: string): SinkError {
    return new SinkError('TargetBroken', this.#target, `Cannot write ${this.#target}: ${state}`, { hint })
  }

  async #exclusive<Result>(signal: AbortSignal, work: (opened: Opened) => Promise<Result>): Promise<Result> {
    return await this.#guard(() =>
      this.#turn.run(() => {
        const opened = this.#opened
        if (opened === undefined) throw this.#broken('it is not open', 'The mirror opens it again.')
        return work(opened)
      }, signal),
    )
  }

  async #guard<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw toTargetError(error, this.#target)
    }
  }
}
