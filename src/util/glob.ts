import { matchesWildcards } from './wildcards.ts'

/**
 * Compiles a glob on paths: `*` = any characters within a segment, also none; `**` as a whole segment = any number of
 * segments, also none; `?` = one character within a segment; everything else is itself. The whole path must match, and an
 * empty segment is a segment: "a/" matches `a/*` and not `a`.
 *
 * No regular expressions: matching takes time in proportion to pattern × path whatever the pattern, because patterns may
 * come from people who share a process with others.
 */
export function compileGlob(pattern: string): (path: string) => boolean {
  const segments = pattern.split('/').map((segment) => (segment === '**' ? ANY : [...segment]))
  return (path) =>
    matchesWildcards(
      segments,
      path.split('/').map((segment) => [...segment]),
      { isAny: (segment) => segment === ANY, accepts: matchesSegment },
    )
}

const ANY: readonly string[] = []

function matchesSegment(pattern: readonly string[], text: readonly string[]): boolean {
  return matchesWildcards(pattern, text, {
    isAny: (character) => character === '*',
    accepts: (character, actual) => character === '?' || character === actual,
  })
}
