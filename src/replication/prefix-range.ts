/** A key and a range end as etcd's requests take them. */
export interface KeyRange {
  readonly key: Buffer
  readonly rangeEnd: Buffer
}

const NUL = Buffer.from([0])

/**
 * Every key that starts with `prefix`; all keys for an empty one. The end is the prefix with its last byte that is below
 * 0xff raised by one, "\0" (= no end) when there is none: clientv3's `getPrefix`
 * (https://github.com/etcd-io/etcd/blob/main/client/v3/op.go).
 */
export function prefixRange(prefix: Buffer): KeyRange {
  if (prefix.length === 0) return { key: NUL, rangeEnd: NUL }
  for (let index = prefix.length - 1; index >= 0; index--) {
    const byte = prefix[index] as number
    if (byte === 0xff) continue
    const rangeEnd = Buffer.from(prefix.subarray(0, index + 1))
    rangeEnd[index] = byte + 1
    return { key: prefix, rangeEnd }
  }
  return { key: prefix, rangeEnd: NUL }
}

/** The smallest key that is greater than `key`. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, NUL])
}
