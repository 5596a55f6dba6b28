import { matchesWildcards } from './wildcards.ts'

type Matcher = (text: string) => boolean

/**
 * Compiles a glob on paths: `*` = any characters within a segment, also none; `**` as a whole segment = any number of
 * segments, also none; `?` = one character within a segment; everything else is itself. The whole path must match, and an
 * empty segment is a segment: "a/" matches `a/*` and not `a`.
 *
 * No regular expressions: matching takes time in proportion to pattern × path whatever the pattern, because patterns may
 * come from people who share a process with others.
 */
export function compileGlob(pattern: string): (path: string) => boolean {
  if (pattern === '**') return () => true
  const segments = pattern.split('/').map((segment) => (segment === '**' ? ANY : compileSegment(segment)))
  return (path) => matchesWildcards(segments, path.split('/'), SEGMENT_RULES)
}

const ANY: Matcher = () => true
const SEGMENT_RULES = {
  isAny: (matcher: Matcher) => matcher === ANY,
  accepts: (matcher: Matcher, segment: string) => matcher(segment),
}

function compileSegment(pattern: string): Matcher {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern
  const pieces = pattern.split('*')
  if (!pattern.includes('?')) return (text) => matchesPieces(pieces, text)
  const characters = [...pattern]
  // "?" is a whole character, which is not always one unit of a string.
  return (text) => (SURROGATE.test(text) ? matchesCharacters(characters, [...text]) : matchesPieces(pieces, text))
}

const QUESTION_MARK = 0x3f
const SURROGATE = /[\ud800-\udfff]/

/** Each piece at its first place after the one before: a later one can never help. The first and the last are fixed. */
function matchesPieces(pieces: readonly string[], text: string): boolean {
  const [first = '', ...others] = pieces
  const last = others.pop()
  if (last === undefined) return text.length === first.length && isAt(first, text, 0)
  const end = text.length - last.length
  if (end < first.length || !isAt(first, text, 0) || !isAt(last, text, end)) return false
  let from = first.length
  for (const piece of others) {
    const at = find(piece, text, from)
    if (at === -1 || at + piece.length > end) return false
    from = at + piece.length
  }
  return true
}

function find(piece: string, text: string, from: number): number {
  if (!piece.includes('?')) return text.indexOf(piece, from)
  for (let at = from; at + piece.length <= text.length; at++) if (isAt(piece, text, at)) return at
  return -1
}

function isAt(piece: string, text: string, at: number): boolean {
  for (let index = 0; index < piece.length; index++) {
    const unit = piece.charCodeAt(index)
    if (unit !== QUESTION_MARK && unit !== text.charCodeAt(at + index)) return false
  }
  return true
}

function matchesCharacters(pattern: readonly string[], text: readonly string[]): boolean {
  return matchesWildcards(pattern, text, {
    isAny: (character) => character === '*',
    accepts: (character, actual) => character === '?' || character === actual,
  })
}
