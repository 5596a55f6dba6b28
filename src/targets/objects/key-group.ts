const SLASH = 0x2f

/** The group of a key below the prefix: its bytes up to the first slash, all of them where there is none. */
export function groupOf(relativeKey: Buffer): Buffer {
  const end = relativeKey.indexOf(SLASH)
  return end === -1 ? relativeKey : relativeKey.subarray(0, end)
}
