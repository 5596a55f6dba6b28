import { FileSystem } from './file-system.ts'
import type { PublishedCopy } from './published-copy.ts'
import { TreeFiles } from './tree-files.ts'

/** The bytes of one path of a copy; undefined = no file stands there now. */
export function readPublishedFile({ directory }: PublishedCopy, path: string): Buffer | undefined {
  const files = new FileSystem()
  const found = new TreeFiles({ files, directory, directoryMode: 0 }).locate(path)
  return files.read(found?.path ?? `${directory}/${path}`)
}
