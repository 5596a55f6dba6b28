import type { EtcdClient } from '../../src/etcd/etcd-client.ts'
import type { KeyValue } from '../../src/etcd/key-value.ts'
import { anchorOf } from '../../src/replication/anchor.ts'
import type { Batch } from '../../src/replication/batch.ts'
import { proveIdentity } from '../../src/replication/identity.ts'
import { PositionTracker } from '../../src/replication/position-tracker.ts'
import { watchRevisions } from '../../src/replication/revisions.ts'
import { type Snapshot, takeSnapshot } from '../../src/replication/snapshot.ts'
import { eventually } from '../support/wait.ts'
import { digestOf } from './digest.ts'
import type { SeenChange, SeenStream } from './record.ts'
import { openClient } from './store-writer.ts'

const RETRY_MS = 50

interface OpenStream extends SeenStream {
  readonly changes: SeenChange[]
  upTo: number
}

/** A user of the engine's stream, behind the same network as the mirror: every change that it yields. */
export class StreamRecorder implements AsyncDisposable {
  readonly #client: EtcdClient
  readonly #prefix: Buffer
  readonly #stop = new AbortController()
  readonly #streams: OpenStream[] = []
  #stretchStop = new AbortController()
  #isAway = false
  readonly #loop: Promise<void>

  static async open(conf: Readonly<Record<string, unknown>>, prefix: string): Promise<StreamRecorder> {
    return new StreamRecorder(await openClient(conf), Buffer.from(prefix))
  }

  private constructor(client: EtcdClient, prefix: Buffer) {
    this.#client = client
    this.#prefix = prefix
    this.#loop = this.#record()
  }

  get seen(): readonly SeenStream[] {
    return this.#streams
  }

  /** Resolves when the newest stretch has come to `revision`. */
  async reach(revision: number, timeoutMs: number): Promise<void> {
    await eventually(
      () => {
        const upTo = this.#streams.at(-1)?.upTo ?? 0
        if (upTo < revision) throw new Error(`The stream stands at ${upTo} of ${revision}`)
      },
      { timeoutMs },
    )
  }

  /** Ends the stretch, runs `work`, and begins another one. */
  async whileAway(work: () => Promise<void>): Promise<void> {
    this.#isAway = true
    this.#stretchStop.abort()
    await work()
    this.#isAway = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
    this.#client.close()
  }

  async #record(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#stretchStop = new AbortController()
      const either = AbortSignal.any([signal, this.#stretchStop.signal])
      if (!this.#isAway) await this.#stretch(either).catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  /** Ends by throwing: compacted, reset, or unproven. */
  async #stretch(signal: AbortSignal): Promise<void> {
    const snapshot = await takeSnapshot(this.#client, this.#prefix, { signal })
    const keys: KeyValue[] = []
    for await (const page of snapshot.pages) keys.push(...page)
    const stream: OpenStream = {
      from: snapshot.revision,
      snapshot: new Map(keys.map(({ key, value }) => [key.toString(), digestOf(value)])),
      changes: [],
      upTo: snapshot.revision,
    }
    const tracker = trackerOf(snapshot, keys)
    this.#streams.push(stream)
    const revisions = watchRevisions(this.#client, this.#prefix, snapshot.revision, {
      signal,
      prove: async (proveSignal) => {
        if (!(await proveIdentity(this.#client, this.#prefix, tracker.position, { signal: proveSignal })))
          throw new Error('There is nothing to prove the position by')
      },
    })
    for await (const item of revisions) {
      // Progress is not believed here: old servers give it too early.
      if (item.kind === 'batch') take(stream, tracker, item)
    }
  }
}

function trackerOf({ header, revision, count }: Snapshot, keys: readonly KeyValue[]): PositionTracker {
  const { clusterId, raftTerm } = header
  const newest = keys.toSorted((a, b) => a.modRevision - b.modRevision).at(-1)
  const anchor = newest && anchorOf(newest)
  return new PositionTracker({ epoch: 0, clusterId, revision, raftTerm, keyCount: count, anchor })
}

function take(stream: OpenStream, tracker: PositionTracker, { changes, revision }: Batch): void {
  for (const change of changes) {
    const digest = change.type === 'put' ? digestOf(change.value) : undefined
    stream.changes.push({ revision: change.modRevision, key: change.key.toString(), digest })
  }
  stream.upTo = revision
  tracker.apply(changes, revision)
}
