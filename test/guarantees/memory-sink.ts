import { setTimeout as sleep } from 'node:timers/promises'
import type {
  MergedBatch,
  OpenedSink,
  RestoreOptions,
  Sink,
  SnapshotSource,
  WriteOptions,
  WriteResult,
} from '../../src/mirror/sink.ts'
import { SinkError } from '../../src/mirror/sink-error.ts'
import type { Change } from '../../src/replication/change.ts'
import type { Position } from '../../src/replication/position.ts'
import { type Digest, digestOf } from './digest.ts'
import type { SeenTree } from './record.ts'

const NO_KEY_ERRORS = { count: 0, examples: [] }

/** A target that can be slow and can fail, and remembers everything that was ever visible in it. */
export class MemorySink implements Sink {
  /** How long every write takes. */
  delayMs = 0
  /** Whether writes fail, in the middle. */
  isFailing = false
  /** Whether what becomes visible is not remembered. */
  isBlind = false
  readonly #seen: SeenTree[] = []
  #entries: ReadonlyMap<string, Digest> = new Map()
  #position: Position | undefined
  #published: { readonly revision: number; readonly epoch: number } | undefined
  #names = { revision: 0, suffix: 0 }

  get seen(): readonly SeenTree[] {
    return this.#seen
  }

  /** What is visible now. */
  get entries(): ReadonlyMap<string, Digest> {
    return this.#entries
  }

  async open(): Promise<OpenedSink> {
    const totals = { keys: this.#entries.size, bytes: 0 }
    return {
      position: this.#position,
      published: this.#published,
      keyErrors: NO_KEY_ERRORS,
      totals,
      isSameConfig: true,
    }
  }

  async ready(): Promise<void> {}

  async restore({ pages, finish }: SnapshotSource, { signal }: RestoreOptions): Promise<WriteResult> {
    const staged = new Map<string, Digest>()
    for await (const page of pages) {
      for (const { key, value } of page) staged.set(key.toString(), digestOf(value))
      await this.#work(signal)
    }
    const { changes, position } = await finish()
    return this.#publish(changed(staged, changes), position)
  }

  async apply({ changes, position }: MergedBatch, { signal }: WriteOptions): Promise<WriteResult> {
    await this.#work(signal)
    return this.#publish(changed(this.#entries, changes), position)
  }

  async advance(position: Position): Promise<void> {
    this.#position = position
  }

  async verify(): Promise<{ readonly sound: boolean }> {
    return { sound: true }
  }

  async close(): Promise<void> {}

  async #work(signal: AbortSignal): Promise<void> {
    if (this.delayMs > 0) await sleep(this.delayMs, undefined, { signal })
    if (this.isFailing)
      throw new SinkError('TargetNotWritable', 'memory', 'Cannot write the target: it fails on purpose')
  }

  #publish(entries: ReadonlyMap<string, Digest>, position: Position): WriteResult {
    const { revision, epoch } = position
    this.#entries = entries
    this.#position = position
    this.#published = { revision, epoch }
    const name = this.#nextName(revision)
    if (!this.isBlind) this.#seen.push({ ...name, entries, emptyDirectories: [] })
    return {
      written: 1,
      removed: 0,
      published: true,
      keyErrors: NO_KEY_ERRORS,
      totals: { keys: entries.size, bytes: 0 },
    }
  }

  #nextName(revision: number): Pick<SeenTree, 'name' | 'revision' | 'generation'> {
    const isNew = revision > this.#names.revision
    const suffix = isNew ? 0 : this.#names.suffix + 1
    this.#names = { revision: Math.max(revision, this.#names.revision), suffix: Math.max(suffix, this.#names.suffix) }
    return { name: isNew ? `${revision}` : `${revision}-${suffix}`, revision, generation: suffix }
  }
}

function changed(before: ReadonlyMap<string, Digest>, changes: readonly Change[]): ReadonlyMap<string, Digest> {
  const entries = new Map(before)
  for (const change of changes) {
    if (change.type === 'put') entries.set(change.key.toString(), digestOf(change.value))
    else entries.delete(change.key.toString())
  }
  return entries
}
