import { shortHash } from './short-hash.ts'

/** Longest value of a label. */
const VALUE_MAX = 63
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/
/** Before the hash in values that had to be made; a value that holds it is made anew. */
const MARK = '..'
const HASH_LENGTH = 26

/**
 * Any text as the value of a label, to select by: itself when it may be one, else what can be read of it and a hash.
 * Another one for every other text.
 */
export function labelValue(text: string): string {
  if (VALUE.test(text) && !text.includes(MARK)) return text
  const readable = text
    .slice(0, VALUE_MAX - MARK.length - HASH_LENGTH)
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  return `${readable === '' ? 'x' : readable}${MARK}${shortHash(text)}`
}
