import type { Stats } from 'node:fs'
import type { FileSystem } from './file-system.ts'

/** The directory that was a mirror's when its root was opened last: still its own when what says so was removed. */
export class HeldRoot {
  #stats: Stats | undefined

  remember(files: FileSystem, root: string): void {
    this.#stats = files.lstat(root)
  }

  /** Whether it is that directory. An inode number alone may have been used again. */
  is({ dev, ino, birthtimeMs }: Stats): boolean {
    return this.#stats?.dev === dev && this.#stats.ino === ino && this.#stats.birthtimeMs === birthtimeMs
  }
}
