import type { ReportDifference } from '../../mirror/sink.ts'
import type { ModeOf } from './file-modes.ts'
import type { PathPut } from './path-change.ts'
import { hashOf, TreeDigest } from './tree-digest.ts'
import type { TreeFiles } from './tree-files.ts'

/** A complete new tree: links to the current tree's files where these are equal, new files elsewhere. */
export class Staging {
  readonly #tree: TreeFiles
  readonly #current: TreeFiles | undefined
  readonly #modeOf: ModeOf
  readonly #report: ReportDifference
  readonly #digest = new TreeDigest()
  #written = 0
  #bytes = 0
  #known = 0

  /** `current`: the tree that consumers see; undefined = none. `report` hears which of its files are not equal. */
  constructor(
    tree: TreeFiles,
    current: TreeFiles | undefined,
    { modeOf, report }: { readonly modeOf: ModeOf; readonly report: ReportDifference },
  ) {
    this.#tree = tree
    this.#current = current
    this.#modeOf = modeOf
    this.#report = report
  }

  /** Files of this tree that are no links to files of the current one. */
  get written(): number {
    return this.#written
  }

  /** Files of this tree whose paths the current one has as well. */
  get known(): number {
    return this.#known
  }

  /** Size of the files of this tree, together. */
  get bytes(): number {
    return this.#bytes
  }

  get digest(): TreeDigest {
    return this.#digest
  }

  /** Files of this tree. */
  get count(): number {
    return this.#tree.count
  }

  /** The file of a key that has none here yet. */
  add({ path, bytes, modRevision }: PathPut): void {
    const existing = this.#current?.locate(path)
    this.#bytes += bytes.length
    this.#digest.add(hashOf(path, bytes))
    if (existing !== undefined) this.#known += 1
    if (existing !== undefined && this.#current?.isEqual(existing, bytes, this.#modeOf(path))) {
      this.#tree.link(path, existing.path)
    } else {
      if (this.#current) this.#report({ path, kind: this.#current.faultOf(path, this.#modeOf(path)), modRevision })
      this.#tree.put(path, bytes, this.#modeOf(path))
      this.#written += 1
    }
  }

  /** Takes back what was added for a key, if anything was. */
  remove(path: string): void {
    const file = this.#tree.locate(path)
    if (file === undefined) return
    this.#bytes -= file.stats.size
    const before = this.#tree.hashOf(file, path)
    if (before !== undefined) this.#digest.remove(before)
    // No other tree has it: it was written here.
    if (file.stats.nlink === 1) this.#written -= 1
    if (this.#current?.locate(path) !== undefined) this.#known -= 1
    this.#tree.remove(path)
  }
}
