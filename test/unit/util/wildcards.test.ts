import { expect, test } from 'vitest'
import { matchesWildcards } from '../../../src/util/wildcards.ts'

/** Matches characters, `*` = any number of them, and counts how often two were compared. */
function match(pattern: string, text: string): { readonly matches: boolean; readonly comparisons: number } {
  let comparisons = 0
  const matches = matchesWildcards([...pattern], [...text], {
    isAny: (token) => token === '*',
    accepts: (token, item) => {
      comparisons += 1
      return token === item
    },
  })
  return { matches, comparisons }
}

test.each([
  ['', '', true],
  ['', 'a', false],
  ['*', '', true],
  ['**', 'abc', true],
  ['a*', 'a', true],
  ['*a', 'ba', true],
  ['*ab*ab', 'abab', true],
  ['*ab*ab', 'aabxab', true],
  ['*ab*ab', 'ab', false],
  ['a*b*a', 'aba', true],
  ['a*b*a', 'abab', false],
  ['ab', 'a', false],
  ['a', 'ab', false],
])('matchesWildcards %j on %j: %s', (pattern, text, expected) => {
  expect(match(pattern, text).matches).toBe(expected)
})

test.each([
  ['*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b', 'a'.repeat(400)],
  [`*${'a'.repeat(50)}b`, 'a'.repeat(2000)],
  [`${'*a'.repeat(300)}`, `${'a'.repeat(299)}b`],
  ['*'.repeat(1000), 'a'.repeat(1000)],
])('matchesWildcards compares no pair of token and item more than once on average (case %#)', (pattern, text) => {
  const { comparisons } = match(pattern, text)
  expect(comparisons).toBeLessThanOrEqual(pattern.length * text.length)
})
