import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileGlob } from '../../../src/util/glob.ts'

test.each([
  ['**', ['', 'a', '/', 'a/b', 'a//b/', '.hidden'], []],
  ['*', ['', 'a', 'a.b', '**'], ['/', 'a/', 'a/b']],
  ['?', ['a', 'ß', '💡', '*'], ['', 'ab', '/', 'a/']],
  ['a', ['a'], ['', 'A', 'aa', 'a/', '/a', 'a/b']],
  ['a/**', ['a', 'a/', 'a/b', 'a/b/c', 'a//'], ['', 'b', 'ab', 'b/a', '/a']],
  ['**/a', ['a', 'b/a', 'b/c/a', '/a', '//a'], ['', 'a/', 'a/b', 'ba', 'b/aa']],
  ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b', 'a//b', 'a/b/b'], ['ab', 'a', 'b', 'a/b/', 'a/b/c', 'x/a/b']],
  ['**/a/**', ['a', 'x/a', 'a/x', 'x/a/y', 'a/a'], ['x', 'xa/y', 'x/ax/y']],
  ['a/*/b', ['a/x/b', 'a//b'], ['a/b', 'a/x/y/b']],
  ['a/', ['a/'], ['a', 'a//', 'a/b']],
  ['/a', ['/a'], ['a', '//a']],
  ['a//b', ['a//b'], ['a/b', 'a///b']],
  ['*.tmp', ['.tmp', 'a.tmp', 'a.b.tmp'], ['a/b.tmp', 'atmp', '.tmpx']],
  ['**/*.tmp', ['.tmp', 'x/a.tmp'], ['x/a.tmpx', 'x/tmp']],
  ['a**b', ['ab', 'axxb'], ['a/b', 'a/x/b']],
  ['***', ['', 'abc'], ['a/b']],
  ['a*b*c', ['abc', 'axbxbxc', 'abbcc'], ['ac', 'acb', 'abcx']],
  ['a?c', ['abc', 'a💡c'], ['ac', 'abbc', 'a/c']],
  ['[a].{b}(c)|^$+\\', ['[a].{b}(c)|^$+\\'], ['a', 'b']],
  ['', [''], ['a', '/']],
])('compileGlob %j', (pattern, matching, others) => {
  const glob = compileGlob(pattern)
  expect(matching.filter((path) => !glob(path))).toEqual([])
  expect(others.filter((path) => glob(path))).toEqual([])
})

/** The same glob as a regular expression: for short inputs, because it may take exponential time. */
function reference(pattern: string): RegExp {
  const literal = (text: string) => text.replace(/[\\^$.|+()[\]{}]/g, '\\$&')
  const segments = pattern.split('/').map((segment) => {
    if (segment === '**') return '(?:/[^/]*)*'
    return `/${literal(segment).replace(/\*+/g, '[^/]*').replaceAll('?', '[^/]')}`
  })
  return new RegExp(`^${segments.join('')}$`, 'su')
}

test('compileGlob agrees with a regular expression on short patterns and paths', () => {
  const short = (characters: string, maxLength: number) =>
    fc.array(fc.constantFrom(...characters), { maxLength }).map((parts) => parts.join(''))
  const segments = fc.array(fc.oneof(fc.constant('**'), short('ab*?', 4)), { maxLength: 6 })
  let matched = 0
  fc.assert(
    fc.property(
      segments.map((parts) => parts.join('/')),
      short('ab/', 10),
      (pattern, path) => {
        const expected = reference(pattern).test(`/${path}`)
        if (expected) matched += 1
        expect(compileGlob(pattern)(path)).toBe(expected)
      },
    ),
    { numRuns: 5000 },
  )
  // Else the comparison would say nothing.
  expect(matched).toBeGreaterThan(300)
})
