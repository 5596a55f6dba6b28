import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Bytes } from './key-value-broker.ts'

/** A request with a longer key is more than etcd takes by default (`--max-request-bytes`). */
export const MAX_KEY_BYTES = 1_572_864

/** Text as UTF-8, other bytes as a view. Throws `InvalidArgument` for anything else. */
export function bytesOf(value: Bytes, name: string): Buffer {
  if (typeof value === 'string') {
    // Encoding replaces half of a surrogate pair by "\ufffd": two different texts would become one key.
    if (!value.isWellFormed()) throw invalid(name, 'the text is not valid Unicode')
    return Buffer.from(value)
  }
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw invalid(name, 'neither a string nor bytes')
}

/** `prefix` + `key`; the key may be empty only where `allowEmpty` says so. Throws `EmptyKey`, `KeyTooLarge`. */
export function fullKey(prefix: Buffer, key: Bytes, { allowEmpty = false } = {}): Buffer {
  const bytes = bytesOf(key, 'key')
  if (bytes.length === 0 && !allowEmpty) {
    throw new EtcdMirrorError('EmptyKey', 'Cannot use the key: it is empty', false)
  }
  const length = prefix.length + bytes.length
  if (length > MAX_KEY_BYTES) {
    throw new EtcdMirrorError('KeyTooLarge', `Cannot use the key: ${length} bytes, at most ${MAX_KEY_BYTES}`, false)
  }
  return prefix.length === 0 ? bytes : Buffer.concat([prefix, bytes], length)
}

/** Throws `InvalidRevision` unless it is a whole number from `least` on. */
export function checkRevision(revision: number, least = 0): number {
  if (Number.isSafeInteger(revision) && revision >= least) return revision
  throw new EtcdMirrorError(
    'InvalidRevision',
    `Cannot use the revision ${String(revision)}: not a whole number from ${least} on`,
    false,
  )
}

/** Throws `InvalidArgument` unless it is a number above 0; undefined passes. */
export function checkPositive(value: number | undefined, name: string): void {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return
  throw invalid(name, 'not a number above 0')
}

export function invalid(name: string, state: string): EtcdMirrorError {
  return new EtcdMirrorError('InvalidArgument', `Cannot use ${name}: ${state}`, false)
}
