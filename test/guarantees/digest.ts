import { hash } from 'node:crypto'

/** Stands for a value: equal digests, equal bytes. Every write of the workload has a value, and so a digest, of its own. */
export type Digest = string

export function digestOf(value: Uint8Array): Digest {
  return `${value.length}:${hash('sha1', value, 'base64url').slice(0, 16)}`
}

/** Of the one value that many writes share. */
export const EMPTY_VALUE = digestOf(new Uint8Array(0))
