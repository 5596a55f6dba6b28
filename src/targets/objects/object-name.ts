import { isUtf8 } from 'node:buffer'
import { shortHash } from './short-hash.ts'

/** Longest name of an object: a DNS subdomain. */
const NAME_MAX = 253
/** Stands before the hash in names of keys that are no names themselves; plain segments do not hold it. */
const MARK = '--'
const PLAIN_KEY = /^[a-z0-9](?:-?[a-z0-9])*(?:\/[a-z0-9](?:-?[a-z0-9])*)*$/
const HASH_LENGTH = 26

/**
 * The name of the object of one key: a function of the mirror's name (a DNS label) and the key's bytes below the prefix
 * alone, valid for every kind of object, and another one for every other key or mirror.
 *
 * - A plain key (lower-case letters, digits and single inner hyphens between slashes) is its own name behind that of the
 *   mirror: `feature/dark-mode` → `app.feature.dark-mode`.
 * - Any other key gets a name that begins with what can be read of it and ends in a hash of it:
 *   `Feature/Dark_Mode` → `app.feature.dark-mode--pidx…` (130 bits of SHA-256).
 */
export function objectName(mirror: string, relativeKey: Buffer): string {
  const text = relativeKey.toString('latin1')
  const plain = `${mirror}.${text.replaceAll('/', '.')}`
  if (plain.length <= NAME_MAX && PLAIN_KEY.test(text)) return plain
  const room = NAME_MAX - mirror.length - 1 - MARK.length - HASH_LENGTH
  const readable = readablePart(relativeKey, room)
  // Only one label may follow the mark, and a mark needs something before it: a name begins with a letter or digit.
  return `${mirror}.${readable === '' ? 'x' : readable}${MARK}${shortHash(mirror, relativeKey)}`
}

/** Lower-case segments of letters, digits and single hyphens, joined by dots; "" when nothing is left. */
function readablePart(key: Buffer, room: number): string {
  const text = isUtf8(key) ? key.toString('utf8') : key.toString('latin1')
  const segments = text
    .slice(0, room)
    .toLowerCase()
    .split('/')
    .map((segment) => segment.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, ''))
  return segments
    .filter((segment) => segment !== '')
    .join('.')
    .slice(0, room)
    .replace(/[-.]+$/, '')
}
