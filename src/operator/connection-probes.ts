import type { EtcdClient } from '../etcd/etcd-client.ts'
import type { CallOptions } from '../etcd/rpc.ts'
import type { Clock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Logger } from '../util/logger.ts'
import { Semaphore } from '../util/semaphore.ts'
import { withDeadline } from '../util/with-deadline.ts'
import type { SharedConnection } from './shared-connection.ts'

/** What etcd says of itself, or why it says nothing. */
export type Probe =
  | {
      readonly version: string
      /** Hexadecimal. */
      readonly clusterId: string
      /** undefined = it is not told: newer versions of etcd want rights for it, and proxies need not know. */
      readonly members: number | undefined
    }
  | { readonly error: EtcdMirrorError }

export interface ConnectionProbesOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** The etcd of this connection was asked. Must not throw. */
  readonly onChange: (key: string) => void
}

/** How often etcd is asked whether it is there. */
const AGAIN_MS = 30_000
const JITTER_MS = 3000
/** However long a connection lets its calls take. */
const LIMIT_MS = 5000
/** For what the limit of a call leaves out. Later: a client turns to the next member only by a limit of its own. */
const BACKSTOP_MS = LIMIT_MS + 1000
const MAX_AT_ONCE = 64
/** So many etcds of one namespace that do not answer keep those of others waiting for nobody. */
const MAX_OF_NAMESPACE = 4

/** The turns of one namespace. */
interface Turns {
  readonly semaphore: Semaphore
  /** How many have one or wait for it. */
  users: number
}

interface Asked {
  readonly shared: SharedConnection
  readonly stop: AbortController
  probe: Probe | undefined
}

/**
 * Asks the etcd behind each connection time and again what it is, for a few seconds at most, some at once and of each
 * namespace a few: nobody waits for an etcd of somebody else that accepts calls and does not answer them.
 */
export class ConnectionProbes {
  readonly #options: ConnectionProbesOptions
  readonly #asked = new Map<string, Asked>()
  /** Everything that is under way, also for connections that are there no more. */
  readonly #running = new Set<Promise<void>>()
  readonly #turns = new Semaphore(MAX_AT_ONCE)
  readonly #turnsOf = new Map<string, Turns>()

  constructor(options: ConnectionProbesOptions) {
    this.#options = options
  }

  /** From now on the connection `namespace/name` or `/name` is this one; undefined = there is none. */
  use(key: string, shared: SharedConnection | undefined): void {
    const before = this.#asked.get(key)
    if (before?.shared === shared) return
    before?.stop.abort()
    this.#asked.delete(key)
    if (shared === undefined) return
    const asked: Asked = { shared, stop: new AbortController(), probe: undefined }
    this.#asked.set(key, asked)
    const running = this.#run(key, asked).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** What its etcd said last; undefined = it was not asked yet: `onChange` will tell. */
  get(key: string): Probe | undefined {
    return this.#asked.get(key)?.probe
  }

  /** Asks none any more. */
  async close(): Promise<void> {
    for (const key of [...this.#asked.keys()]) this.use(key, undefined)
    await Promise.all(this.#running)
  }

  async #run(key: string, asked: Asked): Promise<void> {
    const { clock, logger, onChange } = this.#options
    const { signal } = asked.stop
    while (!signal.aborted) {
      try {
        asked.probe = await this.#inTurn(key, () => probe(asked.shared, clock, signal), signal)
        if (!signal.aborted) onChange(key)
      } catch (error) {
        if (!signal.aborted) logger.error({ connection: key, err: error }, 'asking etcd failed unexpectedly')
      }
      await clock.sleep(AGAIN_MS + Math.random() * JITTER_MS, signal).catch(() => undefined)
    }
  }

  async #inTurn(key: string, ask: () => Promise<Probe>, signal: AbortSignal): Promise<Probe> {
    const namespace = key.slice(0, key.indexOf('/'))
    const turns = this.#turnsOf.get(namespace) ?? { semaphore: new Semaphore(MAX_OF_NAMESPACE), users: 0 }
    this.#turnsOf.set(namespace, turns)
    turns.users += 1
    try {
      return await turns.semaphore.run(() => this.#turns.run(ask, signal), signal)
    } finally {
      turns.users -= 1
      if (turns.users === 0) this.#turnsOf.delete(namespace)
    }
  }
}

async function probe(shared: SharedConnection, clock: Clock, signal: AbortSignal): Promise<Probe> {
  try {
    return await withDeadline((limited) => answerOf(shared, limited), signal, { clock, ms: BACKSTOP_MS, late })
  } catch (error) {
    if (error instanceof EtcdMirrorError) return { error }
    throw error
  }
}

async function answerOf(shared: SharedConnection, signal: AbortSignal): Promise<Probe> {
  const client = await shared.lease()
  const options = { signal, timeoutMs: Math.min(shared.etcd.operationTimeoutMs, LIMIT_MS) }
  try {
    const { version, header } = await client.unary('status', {}, options)
    return { version, clusterId: header.clusterId.toString(16), members: await memberCount(client, options) }
  } finally {
    shared.release(client)
  }
}

async function memberCount(client: EtcdClient, options: CallOptions): Promise<number | undefined> {
  try {
    const { members } = await client.unary('memberList', {}, options)
    return members.length
  } catch (error) {
    if (error instanceof EtcdMirrorError) return undefined
    throw error
  }
}

function late(): EtcdMirrorError {
  const message = `Cannot read the status of etcd: no answer within ${BACKSTOP_MS / 1000} s`
  return new EtcdMirrorError('DeadlineExceeded', message, true)
}
