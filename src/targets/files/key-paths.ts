import { encodeKeyPath, LEAF_NAME } from './key-path.ts'
import { type Layout, META_NAME } from './layout.ts'

/** Longest path that a Linux system call takes, without its final NUL. */
const PATH_MAX = 4095
/** Room for a tree's directory name: 16 digits, a hyphen, 16 digits; working names are shorter. */
const TREE_NAME_MAX = 33

/** A path in a tree, or why there can be none. */
export type ResolvedKey =
  | { readonly path: string; readonly reason: undefined }
  | { readonly path: undefined; readonly reason: string }

/** Keys of one prefix to paths in its trees. */
export class KeyPaths {
  readonly #prefixLength: number
  readonly #reserved: ReadonlySet<string>
  readonly #maxBytes: number

  /** `reserved`: names that are no key's where the tree stands. */
  constructor(prefix: Buffer, layout: Layout, reserved: ReadonlySet<string>) {
    this.#prefixLength = prefix.length
    this.#reserved = reserved
    const longestTree = `${layout.root}/${META_NAME}/work/${'0'.repeat(TREE_NAME_MAX)}/`
    this.#maxBytes = PATH_MAX - Buffer.byteLength(longestTree) - `/${LEAF_NAME}`.length
  }

  /** A function of the key, the root and the reserved names alone. */
  resolve(key: Buffer): ResolvedKey {
    const path = encodeKeyPath(key.subarray(this.#prefixLength), this.#reserved)
    if (path.length * 3 <= this.#maxBytes) return { path, reason: undefined }
    const bytes = Buffer.byteLength(path)
    if (bytes <= this.#maxBytes) return { path, reason: undefined }
    return { path: undefined, reason: `its path needs ${bytes} bytes, at most ${this.#maxBytes} fit below this root` }
  }
}
