const MAX_NAME_BYTES = 255
const MAX_PATH_BYTES = 1024
/** What stands below a root beside what is published. */
const TAKEN: ReadonlySet<string> = new Set(['.etcd-mirror', '.revisions', 'current', 'lost+found'])
const UNSAFE = ['%', '\\', '\u007f']

/** Why no output can have this path below a tree's root; undefined = it can. */
export function outputPathFault(path: string): string | undefined {
  const names = path.split('/')
  if (path === '') return 'must not be empty'
  if (path.startsWith('/')) return 'must be a path below the root, without a leading "/"'
  if (!path.isWellFormed() || [...path].some((character) => character < ' ' || UNSAFE.includes(character)))
    return 'must hold no control characters, "%" or "\\"'
  if (names.some((name) => name === '' || name === '.' || name === '..')) return 'must hold no empty name, "." or ".."'
  if (TAKEN.has(names[0] ?? '')) return `must not begin with "${names[0]}": that is the mirror's own`
  const tooLong = names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)
  return tooLong || Buffer.byteLength(path) > MAX_PATH_BYTES ? 'is too long' : undefined
}
