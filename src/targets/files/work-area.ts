import { randomBytes } from 'node:crypto'
import type { BackgroundTasks } from './background-tasks.ts'
import type { FileSystem } from './file-system.ts'
import type { Layout } from './layout.ts'
import { BACKGROUND_SLICE_MS, inSlices } from './slices.ts'
import { removeTree } from './tree-walk.ts'

export interface WorkAreaOptions {
  readonly files: FileSystem
  readonly layout: Layout
  readonly background: BackgroundTasks
}

/** Where trees are made and removed, out of the consumers' sight. */
export class WorkArea {
  readonly #files: FileSystem
  readonly #directory: string
  readonly #background: BackgroundTasks

  constructor({ files, layout, background }: WorkAreaOptions) {
    this.#files = files
    this.#directory = layout.work
    this.#background = background
  }

  /** A path for a tree in the making. */
  newDirectory(): string {
    return `${this.#directory}/${randomBytes(8).toString('hex')}`
  }

  /** Removes a tree in the background: at once out of the way, then file by file. Never throws. */
  discard(directory: string): void {
    this.#background.run('remove a tree', async (signal) => {
      if (this.#files.lstat(directory) === undefined) return
      const away = this.newDirectory()
      this.#files.rename(directory, away)
      await inSlices(removeTree(this.#files, away), BACKGROUND_SLICE_MS, signal)
    })
  }
}
