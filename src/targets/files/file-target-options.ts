import type { LayoutKind } from './layout.ts'

/** Where and how a mirror's files stand. */
export interface FileTargetOptions {
  /** Absolute path of the directory that this mirror owns. */
  readonly root: string
  readonly layout: LayoutKind
  /** How long a published tree stays unchanged after the next flip, milliseconds. Nothing in the layout InPlace. */
  readonly readerGraceMs: number
  /** Permission bits of files, whatever the umask. At most 0777, the owner can read. */
  readonly mode: number
  /** Other permission bits, by globs on paths: the first that fits counts. Default: none. */
  readonly modes?: readonly { readonly files: readonly string[]; readonly mode: number }[]
  /** Permission bits of directories, whatever the umask. At most 0777, the owner can do everything. */
  readonly directoryMode: number
}
