import Long from 'long'
import { etcdserverpb as pb } from '../../src/etcd/generated/rpc.js'
import type { EtcdEndpoint } from './etcd-server.ts'
import { WriteLog } from './oracle.ts'
import {
  headerAt,
  type ScriptedCall,
  type ScriptedEvent,
  type ScriptedServer,
  type ScriptedStream,
  startScriptedServer,
} from './scripted-watch-server.ts'

interface StoredKey {
  readonly value: Buffer
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

type State = ReadonlyMap<string, StoredKey>

/** What one stream is like after its watch was created; the default does what etcd does. */
export interface WatchBehaviour {
  /** The revision in the header of the created answer. */
  readonly createdRevision: number
  /** The events to begin with. */
  readonly backlog: readonly ScriptedEvent[]
}

/**
 * Plays an etcd that holds real histories and answers reads and watches from them, so far as a test does not meddle. All
 * watches are taken to be of `prefix`.
 */
export async function startScriptedEtcd(version: string, prefix = '/app/'): Promise<ScriptedEtcd> {
  return new ScriptedEtcd(await startScriptedServer(), version, prefix)
}

export class ScriptedEtcd implements EtcdEndpoint, AsyncDisposable {
  /** Of what was committed below the prefix: the truth. */
  readonly log = new WriteLog()
  /** Every stream whose watch was created, oldest first. */
  readonly streams: ScriptedStream[] = []
  /** From which revision each stream was asked to start. */
  readonly starts: number[] = []
  /** Requests for progress, of all streams. */
  progressRequests = 0
  /** Hears of every new stream, before anything is decided about it. */
  onStart: (start: number) => void = () => {}
  /** Hears of every read before it is answered, and may hold it up. */
  onRange: (request: { readonly revision: number; readonly from: string }) => Promise<void> | undefined = () =>
    undefined
  /** Meddles with a new stream. */
  onCreate: (start: number, usual: WatchBehaviour) => WatchBehaviour = (_start, usual) => usual
  /** Meddles with what live streams get to see of a commit. */
  onEvents: (events: readonly ScriptedEvent[]) => readonly ScriptedEvent[] = (events) => events
  /** Meddles with the answer to a request for progress; undefined = none. */
  onProgress: (head: number) => number | undefined = (head) => head
  readonly #server: ScriptedServer
  readonly #version: string
  readonly #prefix: string
  #states: State[] = []
  #events: ScriptedEvent[] = []
  #compactRevision = 0
  #isClosed = false

  constructor(server: ScriptedServer, version: string, prefix: string) {
    this.#server = server
    this.#prefix = prefix
    this.#version = version
    this.#states[1] = new Map()
    server.onCall = (call) => this.#answer(call)
    this.#serveStreams().catch(() => {})
  }

  get endpoint(): string {
    return `http://${this.#server.endpoint}`
  }

  etcdctl(): Promise<string> {
    return Promise.reject(new Error('Nobody but a mirror may ask a scripted etcd'))
  }

  get head(): number {
    return this.#states.length - 1
  }

  /** One revision: value by key, undefined = delete. Live streams are told. */
  commit(writes: Readonly<Record<string, string | undefined>>): number {
    const revision = this.head + 1
    const state = new Map(this.#states[this.head])
    const changes = Object.entries(writes).map(([key, value]) => change(state, revision, key, value))
    const events = changes.filter(({ key }) => key.startsWith(this.#prefix))
    this.#states.push(state)
    this.#events.push(...events)
    this.log.record(
      revision,
      events.map(({ key, value }) => [key, value === undefined ? undefined : Buffer.from(value)]),
    )
    const told = this.onEvents(events)
    if (told.length > 0) for (const stream of this.streams) stream.send({ revision, events: told })
    return revision
  }

  /** Events of the history from a revision on. */
  eventsFrom(revision: number): readonly ScriptedEvent[] {
    return this.#events.filter((event) => event.revision >= revision)
  }

  compact(revision: number): void {
    this.#compactRevision = revision
  }

  /** The store goes back to `revision`, as by a restore; streams stay open and are told nothing. */
  restore(revision: number): void {
    this.#states = this.#states.slice(0, revision + 1)
    this.#events = this.#events.filter((event) => event.revision <= revision)
  }

  /** Breaks every open stream. */
  breakStreams(): void {
    for (const stream of this.streams.splice(0)) stream.fail()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#server[Symbol.asyncDispose]()
  }

  async #serveStreams(): Promise<void> {
    while (!this.#isClosed) await this.#serve(await this.#server.nextStream())
  }

  async #serve(stream: ScriptedStream): Promise<void> {
    const { startRevision } = await stream.created
    this.starts.push(startRevision)
    this.onStart(startRevision)
    if (startRevision < this.#compactRevision) {
      stream.send({ created: true, revision: this.head })
      stream.send({ canceled: true, compactRevision: this.#compactRevision })
      return
    }
    const usual = { createdRevision: this.head, backlog: this.eventsFrom(startRevision) }
    const { createdRevision, backlog } = this.onCreate(startRevision, usual)
    stream.send({ created: true, revision: createdRevision })
    if (backlog.length > 0) stream.send({ revision: this.head, events: backlog })
    this.streams.push(stream)
    this.#answerProgress(stream).catch(() => {})
  }

  async #answerProgress(stream: ScriptedStream): Promise<void> {
    for (;;) {
      await stream.progressRequested()
      this.progressRequests += 1
      const revision = this.onProgress(this.head)
      if (revision !== undefined) stream.send({ revision, watchId: -1 })
    }
  }

  #answer(call: ScriptedCall): void {
    if (call.method === 'status') {
      const header = headerAt(this.head)
      call.reply(pb.StatusResponse.encode({ header, version: this.#version }).finish())
    } else if (call.method === 'range') this.#range(call).catch(() => call.fail(13, 'the script is wrong'))
    else call.reply()
  }

  async #range(call: ScriptedCall): Promise<void> {
    const request = pb.RangeRequest.decode(call.request)
    await this.onRange({ revision: Number(request.revision), from: Buffer.from(request.key).toString() })
    const revision = Number(request.revision) || this.head
    const isFuture = revision > this.head
    if (isFuture || revision < this.#compactRevision) {
      const state = isFuture ? 'is a future revision' : 'has been compacted'
      call.fail(11, `etcdserver: mvcc: required revision ${state}`)
      return
    }
    const state = this.#states[revision] ?? new Map<string, StoredKey>()
    const found = [...state].filter(([key]) => isInRange(key, request)).sort(([a], [b]) => (a < b ? -1 : 1))
    const matching = found.filter(([, { modRevision }]) => modRevision >= Number(request.minModRevision))
    const limit = Number(request.limit) || matching.length
    const kvs = request.countOnly ? [] : matching.slice(0, limit)
    const response = {
      header: headerAt(this.head),
      count: Long.fromNumber(found.length),
      more: kvs.length < matching.length && !request.countOnly,
      kvs: kvs.map(([key, stored]) => encodeKey(key, stored, request.keysOnly)),
    }
    call.reply(pb.RangeResponse.encode(response).finish())
  }
}

function change(
  state: Map<string, StoredKey>,
  revision: number,
  key: string,
  value: string | undefined,
): ScriptedEvent {
  const before = state.get(key)
  if (value === undefined) {
    state.delete(key)
    return { key, revision }
  }
  const version = (before?.version ?? 0) + 1
  const createRevision = before?.createRevision ?? revision
  state.set(key, { value: Buffer.from(value), createRevision, modRevision: revision, version })
  return { key, revision, value, version, createRevision }
}

function isInRange(key: string, { key: from, rangeEnd }: { key: Uint8Array; rangeEnd: Uint8Array }): boolean {
  const bytes = Buffer.from(key)
  if (rangeEnd.length === 0) return bytes.equals(from)
  return Buffer.compare(bytes, from) >= 0 && Buffer.compare(bytes, rangeEnd) < 0
}

function encodeKey(key: string, { value, createRevision, modRevision, version }: StoredKey, keysOnly: boolean) {
  return {
    key: Buffer.from(key),
    value: keysOnly ? Buffer.alloc(0) : value,
    createRevision: Long.fromNumber(createRevision),
    modRevision: Long.fromNumber(modRevision),
    version: Long.fromNumber(version),
  }
}
