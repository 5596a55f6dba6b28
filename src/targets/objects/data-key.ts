import { isUtf8 } from 'node:buffer'

/** Longest data key of a ConfigMap or a Secret. */
const DATA_KEY_MAX = 253
const DATA_KEY = /^[-._a-zA-Z0-9]+$/

/** A data key, or why there can be none. */
export type ResolvedDataKey =
  | { readonly name: string; readonly reason: undefined }
  | { readonly name: undefined; readonly reason: string }

/**
 * The data key of a ConfigMap or Secret that a key below the prefix becomes: itself, with "." for every "/". Different keys
 * can become one data key (`a/b` and `a.b`): `treeData` settles that.
 */
export function dataKey(relativeKey: Buffer): ResolvedDataKey {
  if (!isUtf8(relativeKey)) return refused('must be UTF-8')
  const name = relativeKey.toString('utf8').replaceAll('/', '.')
  const reason = dataKeyFault(name)
  return reason === undefined ? { name, reason } : refused(reason)
}

/** Why this is no data key; undefined = it is one. */
export function dataKeyFault(name: string): string | undefined {
  if (name === '') return 'must not be empty'
  if (name.length > DATA_KEY_MAX) return `must not be longer than ${DATA_KEY_MAX} characters`
  if (!DATA_KEY.test(name)) return 'must hold only letters, digits, "-", "_" and "."'
  return name === '.' || name.startsWith('..') ? 'must not be "." nor begin with ".."' : undefined
}

function refused(state: string): ResolvedDataKey {
  return { name: undefined, reason: `cannot be the name of a data key: ${state}` }
}
