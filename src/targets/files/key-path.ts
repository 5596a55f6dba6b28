import { isUtf8 } from 'node:buffer'

/** Longest name of one file or directory, bytes (Linux). */
const NAME_MAX = 255
const EMPTY_SEGMENT = '%empty'
/** Ends a directory whose name goes on in the next component: the segment did not fit one name. */
const CONTINUED = '%~'
/**
 * File of a key that is a directory as well: `a` stands in `a/%leaf` while any key `a/…` exists. Like the other marks
 * it is no escape ("%" and two hex digits), so no key's own name equals it.
 */
export const LEAF_NAME = '%leaf'

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f%]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const EACH_UNSAFE = /[\u0000-\u001f\u007f%]/g
/** Bounds of the second byte where a lead byte narrows them: overlong forms, surrogates, beyond U+10FFFF. */
const SECOND_FROM: Readonly<Record<number, number>> = { 224: 0xa0, 240: 0x90 }
const SECOND_TO: Readonly<Record<number, number>> = { 237: 0x9f, 244: 0x8f }
const NOTHING: ReadonlySet<string> = new Set()
/** Begins an escape, and nothing else in an encoded segment. */
const PERCENT = 0x25

/**
 * The path of a key below the tree's root, by the key's bytes after the prefix. Injective, reversible by
 * `decodeKeyPath`, and a function of the key and of `reserved` alone.
 *
 * - "/" separates directories. A plain key is its own path; so are spaces, backslashes and letters of any script.
 * - NUL, 0x01–0x1f, 0x7f, "%" and every byte that is no part of valid UTF-8 become `%XX`, upper-case hex.
 * - The segments "." and ".." become `%2E` and `%2E%2E`, the empty one `%empty` (also the empty key's path).
 * - A segment of more than 255 bytes becomes a chain of directories: all parts but the last end in `%~`. No escape and
 *   no character is cut.
 * - A first segment that is one of `reserved` (plain ASCII names that are taken where the tree stands) has its first
 *   character escaped: `.etcd-mirror` becomes `%2Eetcd-mirror`.
 */
export function encodeKeyPath(relativeKey: Buffer, reserved: ReadonlySet<string> = NOTHING): string {
  const segments = encodedSegments(relativeKey)
  const [first = ''] = segments
  if (reserved.has(first)) segments[0] = escapeByte(first.charCodeAt(0)) + first.slice(1)
  return segments.map(fitNames).join('/')
}

function encodedSegments(relativeKey: Buffer): string[] {
  if (!isUtf8(relativeKey)) return splitBytes(relativeKey).map(encodeBytes)
  const text = relativeKey.toString('utf8')
  const escaped = UNSAFE.test(text) ? text.replace(EACH_UNSAFE, escapeCharacter) : text
  return escaped.split('/')
}

/** The key's bytes after the prefix, from the path of its file (with or without `%leaf`). */
export function decodeKeyPath(path: string): Buffer {
  const names = path.split('/')
  if (names.at(-1) === LEAF_NAME) names.pop()
  const segments = joinContinued(names).map((segment) => (segment === EMPTY_SEGMENT ? '' : segment))
  return unescapeBytes(segments.join('/'))
}

/** Text for people, of any bytes: escaped like a path, "." and "/" as they are. */
export function printableKey(key: Buffer): string {
  return encodeBytes(key)
}

function splitBytes(key: Buffer): Buffer[] {
  const segments: Buffer[] = []
  let start = 0
  for (let end = key.indexOf('/'); end !== -1; end = key.indexOf('/', start)) {
    segments.push(key.subarray(start, end))
    start = end + 1
  }
  segments.push(key.subarray(start))
  return segments
}

function encodeBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8').replace(EACH_UNSAFE, escapeCharacter)
  let encoded = ''
  let plainFrom = 0
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    if (length === 0) {
      encoded += encodeText(bytes, plainFrom, at) + escapeByte(bytes[at] ?? 0)
      plainFrom = at + 1
    }
    at += length || 1
  }
  return encoded + encodeText(bytes, plainFrom, bytes.length)
}

function encodeText(bytes: Buffer, start: number, end: number): string {
  return start === end ? '' : bytes.toString('utf8', start, end).replace(EACH_UNSAFE, escapeCharacter)
}

/** Bytes of the UTF-8 character that begins at `at`; 0 = none does (RFC 3629, section 4). */
function characterLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return 1
  const length = promisedLength(lead)
  if (length === 0) return 0
  const second = bytes[at + 1] ?? 0
  if (second < (SECOND_FROM[lead] ?? 0x80) || second > (SECOND_TO[lead] ?? 0xbf)) return 0
  for (let next = 2; next < length; next++) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0
  return length
}

function promisedLength(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 0
  if (lead < 0xe0) return 2
  return lead < 0xf0 ? 3 : 4
}

function escapeCharacter(character: string): string {
  return escapeByte(character.charCodeAt(0))
}

function escapeByte(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

function fitNames(segment: string): string {
  if (segment === '') return EMPTY_SEGMENT
  if (segment === '.') return '%2E'
  if (segment === '..') return '%2E%2E'
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (segment.length * 3 <= NAME_MAX || Buffer.byteLength(segment) <= NAME_MAX) return segment
  return cutNames(segment)
}

function cutNames(segment: string): string {
  const names: string[] = []
  let start = 0
  let length = 0
  let left = Buffer.byteLength(segment)
  for (let at = 0; at < segment.length; ) {
    const code = segment.charCodeAt(at)
    const unitLength = unitBytes(code)
    if (length + left > NAME_MAX && length + unitLength > NAME_MAX - CONTINUED.length) {
      names.push(segment.slice(start, at) + CONTINUED)
      start = at
      length = 0
    }
    at += unitLength === 4 ? 2 : code === PERCENT ? 3 : 1
    length += unitLength
    left -= unitLength
  }
  return [...names, segment.slice(start)].join('/')
}

/** Bytes of the escape or the character that begins with this UTF-16 unit. */
function unitBytes(code: number): number {
  if (code === PERCENT) return 3
  if (code < 0x80) return 1
  if (code < 0x800) return 2
  return code >= 0xd800 && code < 0xdc00 ? 4 : 3
}

function joinContinued(names: readonly string[]): string[] {
  const segments: string[] = []
  let begun = ''
  for (const name of names) {
    if (name.endsWith(CONTINUED)) {
      begun += name.slice(0, -CONTINUED.length)
    } else {
      segments.push(begun + name)
      begun = ''
    }
  }
  return segments
}

function unescapeBytes(text: string): Buffer {
  const parts = text.split('%')
  const [plain = '', ...escaped] = parts
  return Buffer.concat([
    Buffer.from(plain),
    ...escaped.flatMap((part) => [Buffer.from(part.slice(0, 2), 'hex'), Buffer.from(part.slice(2))]),
  ])
}
