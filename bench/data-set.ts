import { randomBytes } from 'node:crypto'
import type { Etcd3 } from 'etcd3'

const KEYS_PER_DIRECTORY = 256
const TXN_KEYS = 1000
const TXN_BYTES = 8 * 1024 * 1024

/** Keys under one prefix, with values of one size. */
export interface DataSet {
  readonly prefix: string
  readonly keys: number
  readonly valueBytes: number
}

/** As in `d012/k003077`: 256 keys a directory. */
export function relativeKey(index: number): string {
  const directory = Math.floor(index / KEYS_PER_DIRECTORY)
  return `d${String(directory).padStart(3, '0')}/k${String(index).padStart(6, '0')}`
}

/** One line of printable text that no other call returns. */
export function newValue(bytes: number): string {
  // Random text is slow to make in the amounts needed; a random beginning is enough to be different.
  return `v${randomBytes(12).toString('hex')}`.padEnd(bytes, 'abcdefghijklmnopqrstuvwxyz0123456789').slice(0, bytes)
}

/** Puts the whole set, in large transactions. */
export async function load(client: Etcd3, { prefix, keys, valueBytes }: DataSet): Promise<void> {
  const size = Math.max(1, Math.min(TXN_KEYS, Math.floor(TXN_BYTES / valueBytes)))
  for (let from = 0; from < keys; from += size) {
    const indexes = Array.from({ length: Math.min(size, keys - from) }, (_, offset) => from + offset)
    await putAll(client, prefix, indexes, valueBytes)
  }
}

/** New values for keys, in one transaction. Resolves with its revision. */
export async function putAll(
  client: Etcd3,
  prefix: string,
  indexes: readonly number[],
  valueBytes: number,
  value: () => string = () => newValue(valueBytes),
): Promise<number> {
  const success = indexes.map((index) => ({
    request_put: { key: Buffer.from(prefix + relativeKey(index)), value: Buffer.from(value()) },
  }))
  const { header } = await client.kv.txn({ compare: [], success, failure: [] })
  return Number(header.revision)
}
