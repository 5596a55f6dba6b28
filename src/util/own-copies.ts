/** What one copy that lives on keeps of its neighbours, at most. */
const PIECE_BYTES = 4096

/**
 * Copies for keeping, small ones together in pieces of memory that hold nothing else. What `Buffer.from` makes of a few
 * bytes lies in a pool of 64 KiB, beside whatever else was made at the time, and keeps all of it.
 */
export function ownCopies(parts: readonly Uint8Array[]): readonly Buffer[] {
  return pieces(parts).flatMap(inOnePiece)
}

/** As `ownCopies`, of one. */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

/** In their order: as many together as fit, or one that is larger. */
function pieces(parts: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const found: Uint8Array[][] = []
  let room = 0
  for (const part of parts) {
    const piece = found.at(-1)
    if (piece === undefined || part.length > room) {
      found.push([part])
      room = PIECE_BYTES
    } else piece.push(part)
    room -= part.length
  }
  return found
}

function inOnePiece(parts: readonly Uint8Array[]): readonly Buffer[] {
  const piece = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0))
  let end = 0
  return parts.map((part) => {
    const start = end
    end += part.length
    piece.set(part, start)
    return piece.subarray(start, end)
  })
}
