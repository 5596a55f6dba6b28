import { readdir, readFile, stat } from 'node:fs/promises'
import type { KeyValue } from '../../etcd/key-value.ts'
import type { LimitOptions } from '../../mirror/guards.ts'
import type { SnapshotSource } from '../../mirror/sink.ts'
import { EtcdMirrorError } from '../../util/etcd-mirror-error.ts'
import { formatQuantity } from '../../util/quantity.ts'
import { isFileError } from './file-error.ts'
import { decodeKeyPath, encodeKeyPath, LEAF_NAME } from './key-path.ts'

/**
 * The files below a directory as the state of a prefix, so that any sink can publish them. File names are read as the
 * tree writes them, others as they are. Links are followed and names that begin with ".." are left out, because that is
 * how Kubernetes mounts a ConfigMap. Its position is revision 0, which no store has.
 *
 * The pages throw `SeedUnusable` (retryable) when there are no files, more than the limits allow, or unreadable ones.
 */
export function seedSource(directory: string, prefix: Buffer, limits: LimitOptions): SnapshotSource {
  let keyCount = 0

  async function* pages(): AsyncGenerator<readonly KeyValue[]> {
    try {
      for (const { key, file } of await listSeed(directory, limits)) {
        const value = await readFile(file)
        keyCount += 1
        yield [{ key: Buffer.concat([prefix, key]), value, createRevision: 0, modRevision: 0, version: 1, lease: 0n }]
      }
    } catch (error) {
      throw isFileError(error) ? unusable(directory, `it cannot be read (${error.code})`, error) : error
    }
  }
  const finish = async () => {
    const position = { epoch: 0, clusterId: 0n, revision: 0, raftTerm: 0, keyCount, anchor: undefined }
    return { changes: [], position }
  }
  return { pages: pages(), finish }
}

interface SeedFile {
  /** Below the prefix. */
  readonly key: Buffer
  readonly file: string
}

/** In ascending order of their keys. */
async function listSeed(directory: string, { maxKeys, maxBytes, maxValueBytes }: LimitOptions): Promise<SeedFile[]> {
  const found: SeedFile[] = []
  let bytes = 0
  for await (const { path, size } of filesBelow(directory, '')) {
    found.push({ key: keyOf(path), file: `${directory}/${path}` })
    bytes += size
    if (found.length > maxKeys) throw unusable(directory, `it holds more files than limits.maxKeys ${maxKeys}`)
    if (bytes > maxBytes) throw unusable(directory, `it is larger than limits.maxBytes ${formatQuantity(maxBytes)}`)
    if (size > maxValueBytes) {
      throw unusable(directory, `one of its files is larger than limits.maxValueBytes ${formatQuantity(maxValueBytes)}`)
    }
  }
  // What is mounted may be optional, and then nothing stands there: that is nothing to fall back to.
  if (found.length === 0) throw unusable(directory, 'it holds no files')
  found.sort((left, right) => left.key.compare(right.key))
  if (found.some(({ key }, index) => found[index + 1]?.key.equals(key))) {
    throw unusable(directory, 'two of its files stand for one key')
  }
  return found
}

/** The key of a path that the tree could have written; any other path is its own key. */
function keyOf(path: string): Buffer {
  const key = decodeKeyPath(path)
  const written = encodeKeyPath(key)
  return path === written || path === `${written}/${LEAF_NAME}` ? key : Buffer.from(path)
}

async function* filesBelow(directory: string, path: string): AsyncGenerator<{ path: string; size: number }> {
  for (const name of await readdir(`${directory}/${path}`)) {
    if (name.startsWith('..')) continue
    const inner = path === '' ? name : `${path}/${name}`
    const stats = await stat(`${directory}/${inner}`)
    if (stats.isDirectory()) yield* filesBelow(directory, inner)
    else if (stats.isFile()) yield { path: inner, size: stats.size }
  }
}

/** Names no file: they stand for keys. */
function unusable(directory: string, state: string, cause?: unknown): EtcdMirrorError {
  return new EtcdMirrorError('SeedUnusable', `Cannot publish the fallback ${directory}: ${state}`, true, {
    cause,
    hint: 'Look at what is mounted where target.files.startup.seedFrom points to.',
  })
}
