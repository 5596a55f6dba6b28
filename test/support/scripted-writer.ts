import type { RequestOp } from '../../src/etcd/messages.ts'
import type { EtcdRpc } from '../../src/etcd/rpc.ts'

/** A small generator of repeatable random numbers (mulberry32), 0 ≤ x < 1. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface WriterOptions {
  readonly prefix: string
  readonly seed: number
  /** Different keys. Default 50. */
  readonly keys?: number
  /** Most keys of one revision. Default 5. */
  readonly maxOps?: number
  /** Default 20. */
  readonly valueBytes?: number
}

/** Writes random revisions below a prefix and keeps the log that a watch must show. */
export class ScriptedWriter {
  /** `revision:key`, a delete ends in `-`; the keys of a revision in ascending order. */
  readonly log: string[] = []
  revision = 0
  readonly #rpc: EtcdRpc
  readonly #options: Required<WriterOptions>
  readonly #random: () => number
  readonly #live = new Set<string>()

  constructor(rpc: EtcdRpc, options: WriterOptions) {
    this.#rpc = rpc
    this.#options = { keys: 50, maxOps: 5, valueBytes: 20, ...options }
    this.#random = seededRandom(options.seed)
  }

  /** Writes so many revisions, one after the other. */
  async write(revisions: number, signal: AbortSignal): Promise<void> {
    for (let index = 0; index < revisions; index++) await this.#commit(signal)
  }

  async #commit(signal: AbortSignal): Promise<void> {
    const { prefix, keys, maxOps, valueBytes } = this.#options
    const count = 1 + Math.floor(this.#random() * maxOps)
    const names = new Set(Array.from({ length: count }, () => `${prefix}${Math.floor(this.#random() * keys)}`))
    const deleted = new Set([...names].filter((name) => this.#live.has(name) && this.#random() < 0.3))
    const success = [...names].map((name): RequestOp => {
      const key = Buffer.from(name)
      return deleted.has(name) ? { deleteRange: { key } } : { put: { key, value: Buffer.alloc(valueBytes, 'v') } }
    })
    const { header } = await this.#rpc.unary('txn', { compare: [], success, failure: [] }, { signal })
    this.revision = header.revision
    for (const name of [...names].sort()) {
      if (deleted.has(name)) this.#live.delete(name)
      else this.#live.add(name)
      this.log.push(`${header.revision}:${name}${deleted.has(name) ? '-' : ''}`)
    }
  }
}

/** Writes `count` keys `<prefix>000000`… in revisions of 500; resolves with the last revision. */
export async function fill(rpc: EtcdRpc, prefix: string, count: number, valueBytes = 10): Promise<number> {
  const { signal } = new AbortController()
  const value = Buffer.alloc(valueBytes, 'v')
  let revision = 0
  for (let from = 0; from < count; from += 500) {
    const success = Array.from({ length: Math.min(500, count - from) }, (_, index): RequestOp => {
      return { put: { key: Buffer.from(`${prefix}${String(from + index).padStart(6, '0')}`), value } }
    })
    const { header } = await rpc.unary('txn', { compare: [], success, failure: [] }, { signal, timeoutMs: 30_000 })
    revision = header.revision
  }
  return revision
}
