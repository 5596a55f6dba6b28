import { createHash } from 'node:crypto'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** 130 bits of SHA-256 as 26 characters that may stand in any name of Kubernetes: lower-case letters and digits. */
export function shortHash(...parts: readonly (Buffer | string)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    const bytes = Buffer.from(part)
    // The lengths keep ("a", "bc") and ("ab", "c") apart.
    hash.update(`${bytes.length}:`).update(bytes)
  }
  let bits = 0n
  for (const byte of hash.digest().subarray(0, 17)) bits = (bits << 8n) | BigInt(byte)
  bits >>= 6n
  let text = ''
  for (let at = 0; at < 26; at++) {
    text = ALPHABET[Number(bits & 31n)] + text
    bits >>= 5n
  }
  return text
}
