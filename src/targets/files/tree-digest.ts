import { createHash, hash } from 'node:crypto'
import { LEAF_NAME } from './key-path.ts'

/** 32-bit numbers in a SHA-256. */
const LANES = 8
/** Beyond it, copying place and bytes together costs more than a hash that takes them one after the other. */
const ONE_SHOT_BYTES = 64 * 1024
const LEAF_END = `/${LEAF_NAME}`

/** SHA-256 of a file's place and bytes, one byte a character. */
export type FileHash = string

/**
 * Where the file of a key stands, as its hash has it: a key's path, whether or not the key is a directory as well. So a
 * file that moves because of another key keeps its hash.
 */
export function placeOf(path: string): string {
  return path.endsWith(LEAF_END) ? path.slice(0, -LEAF_END.length) : path
}

/** What goes into a file's hash before its bytes: no path holds a NUL. */
export function hashHead(place: string): string {
  return `${place}\0`
}

/** Of bytes that are at hand; `FileSystem.hash` has the same for those on disk. */
export function hashOf(place: string, bytes: Buffer): FileHash {
  const head = hashHead(place)
  if (bytes.length <= ONE_SHOT_BYTES) return hash('sha256', Buffer.concat([Buffer.from(head), bytes]), 'binary')
  return createHash('sha256').update(head).update(bytes).digest('binary')
}

/**
 * One number for the files of a tree: the sum of their hashes. The order does not count, and one file more or less is one
 * addition, so it is kept up to date at a cost in proportion to the change, in constant memory.
 *
 * It finds what happened by accident or mistake. It is no protection against somebody who can compute sums.
 */
export class TreeDigest {
  /** Each lane is a sum modulo 2³². */
  readonly #lanes = new Uint32Array(LANES)

  /** undefined = not what `toString` makes. */
  static parse(text: string): TreeDigest | undefined {
    if (!/^[0-9a-f]{64}$/.test(text)) return undefined
    const digest = new TreeDigest()
    digest.add(Buffer.from(text, 'hex').toString('latin1'))
    return digest
  }

  add(fileHash: FileHash): void {
    for (let lane = 0; lane < LANES; lane++) this.#lanes[lane] = (this.#lanes[lane] ?? 0) + laneOf(fileHash, lane)
  }

  remove(fileHash: FileHash): void {
    for (let lane = 0; lane < LANES; lane++) this.#lanes[lane] = (this.#lanes[lane] ?? 0) - laneOf(fileHash, lane)
  }

  /** A third one. */
  plus(other: TreeDigest): TreeDigest {
    const sum = new TreeDigest()
    for (let lane = 0; lane < LANES; lane++) {
      sum.#lanes[lane] = (this.#lanes[lane] ?? 0) + (other.#lanes[lane] ?? 0)
    }
    return sum
  }

  /** A third one. */
  minus(other: TreeDigest): TreeDigest {
    const difference = new TreeDigest()
    for (let lane = 0; lane < LANES; lane++) {
      difference.#lanes[lane] = (this.#lanes[lane] ?? 0) - (other.#lanes[lane] ?? 0)
    }
    return difference
  }

  equals(other: TreeDigest): boolean {
    return this.#lanes.every((sum, lane) => sum === other.#lanes[lane])
  }

  /** Hexadecimal. */
  toString(): string {
    const bytes = Buffer.alloc(LANES * 4)
    for (const [lane, sum] of this.#lanes.entries()) bytes.writeUInt32BE(sum, lane * 4)
    return bytes.toString('hex')
  }
}

function laneOf(fileHash: FileHash, lane: number): number {
  const at = lane * 4
  return (
    ((fileHash.charCodeAt(at) << 24) |
      (fileHash.charCodeAt(at + 1) << 16) |
      (fileHash.charCodeAt(at + 2) << 8) |
      fileHash.charCodeAt(at + 3)) >>>
    0
  )
}
