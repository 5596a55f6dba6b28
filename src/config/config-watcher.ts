import { type FSWatcher, watch as watchDirectory } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Logger } from '../util/logger.ts'

export interface ConfigWatcherOptions {
  /** Something happened in a watched directory; often more than once for one change, and sometimes for none. */
  readonly onChange: () => void
  readonly logger: Logger
}

interface Watch {
  readonly watcher: FSWatcher
  /** Of the directory: one made anew under the same name is another one. */
  readonly identity: string
}

/**
 * Tells when files may have changed. It watches their directories, not the files: an editor renames a new file into
 * place, and Kubernetes renames the link `..data` beside the links that are the files of a mounted ConfigMap
 * (https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go). Network file systems and
 * `subPath` mounts tell nothing: whoever uses this reads the files now and then all the same.
 */
export class ConfigWatcher implements Disposable {
  readonly #options: ConfigWatcherOptions
  readonly #watches = new Map<string, Watch>()
  readonly #unwatchable = new Set<string>()

  constructor(options: ConfigWatcherOptions) {
    this.#options = options
  }

  /**
   * Watches the directories of these paths, and those of what the paths are links to, and no others. Resolves with true
   * when one was not watched before: what happened in it until now was not seen. Never rejects.
   */
  async watch(paths: readonly string[]): Promise<boolean> {
    const directories = await directoriesOf(paths)
    for (const [directory, { watcher, identity }] of this.#watches) {
      if (directories.get(directory) === identity) continue
      watcher.close()
      this.#watches.delete(directory)
    }
    const missing = [...directories].filter(([directory]) => !this.#watches.has(directory))
    return missing.filter(([directory, identity]) => this.#add(directory, identity)).length > 0
  }

  [Symbol.dispose](): void {
    for (const { watcher } of this.#watches.values()) watcher.close()
    this.#watches.clear()
  }

  #add(directory: string, identity: string): boolean {
    try {
      const watcher = watchDirectory(directory, () => this.#options.onChange())
      watcher.on('error', (error) => this.#failed(directory, error))
      this.#watches.set(directory, { watcher, identity })
      this.#unwatchable.delete(directory)
      return true
    } catch (error) {
      this.#failed(directory, error)
      return false
    }
  }

  #failed(directory: string, err: unknown): void {
    this.#watches.get(directory)?.watcher.close()
    this.#watches.delete(directory)
    if (this.#unwatchable.has(directory)) return
    this.#unwatchable.add(directory)
    this.#options.logger.warn({ directory, err }, 'cannot watch a directory; changes in it are noticed within a minute')
  }
}

/** Directory → identity, of those that are there. */
async function directoriesOf(paths: readonly string[]): Promise<Map<string, string>> {
  const written = new Set(paths.map((path) => dirname(path)))
  const resolved = await Promise.all(paths.map(async (path) => dirname(await realpath(path).catch(() => path))))
  const all = [...new Set([...written, ...resolved])]
  const identities = await Promise.all(all.map(identityOf))
  return new Map(all.flatMap((path, index) => (identities[index] === undefined ? [] : [[path, identities[index]]])))
}

async function identityOf(directory: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await stat(directory, { bigint: true })
    // Inode numbers are given to the next directory at once.
    return `${dev}:${ino}:${birthtimeNs}`
  } catch {
    return undefined
  }
}
