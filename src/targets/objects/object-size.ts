/** Most bytes of a ConfigMap's or Secret's names and values together: leaves etcd and the API server room for the rest. */
export const DATA_LIMIT_BYTES = 900 * 1024

/** Most bytes of keys and values that are read for one object: beyond it no rendering makes a small one of them. */
export const STATE_LIMIT_BYTES = 16 * DATA_LIMIT_BYTES

/** Most bytes of all annotations of an object, keys and values together: Kubernetes' own limit. */
export const ANNOTATIONS_LIMIT_BYTES = 256 * 1024

/** Bytes of names and values, as they count against {@link DATA_LIMIT_BYTES}. Base64 does not: etcd stores the bytes. */
export function dataBytes(data: Iterable<readonly [string, Buffer]>): number {
  let bytes = 0
  for (const [name, value] of data) bytes += Buffer.byteLength(name) + value.length
  return bytes
}

/** Bytes of annotations, as they count against {@link ANNOTATIONS_LIMIT_BYTES}. */
export function annotationsBytes(annotations: Readonly<Record<string, string>>): number {
  const sizes = Object.entries(annotations).map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value))
  return sizes.reduce((sum, size) => sum + size, 0)
}
