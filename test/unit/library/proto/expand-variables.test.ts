import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expandVariables } from '../../../../src/library/proto/expand-variables.ts'

/** So that nobody takes it for a template of this file. */
const dollars = (text: string) => text.replaceAll('#', '$')
const variables = { HOST: 'db-1', PORT: '5432', QUOTE: 'a "b" \\ c\n$HOST', EMPTY: '', constructor: undefined }

describe('expandVariables', () => {
  test.each([
    ['{"a":"$HOST"}', '{"a":"db-1"}'],
    ['{"a":"#{HOST}:#{PORT}/x"}', '{"a":"db-1:5432/x"}'],
    ['{"a":$PORT,"b":[#{PORT}]}', '{"a":5432,"b":[5432]}'],
    ['{"$HOST":1}', '{"db-1":1}'],
    ['{"a":"$EMPTY"}', '{"a":""}'],
    ['{"a":"\\"$HOST\\""}', '{"a":"\\"db-1\\""}'],
    // Once, not again in what came out of it.
    ['{"a":"$QUOTE"}', '{"a":"a \\"b\\" \\\\ c\\n$HOST"}'],
  ])('%s becomes %s', (json, expected) => {
    expect(expandVariables(dollars(json), variables)).toBe(expected)
    JSON.parse(expected)
  })

  test.each([
    '{"a":"$UNSET #{UNSET} $ $$ $1 #{ #{} #{HOST #{HO-ST} $-"}',
    '{"a":"$HOSTS #{HOSTS}"}',
    '{"a":"\\u0024HOST"}',
    '{"a":"$constructor $__proto__ $toString"}',
    '{"price":"5$","regexp":"^a$|^b$"}',
  ])('%s stays as it is (the seed put nothing in place of names that are not set)', (json) => {
    expect(expandVariables(dollars(json), variables)).toBe(dollars(json))
  })

  test('leaves JSON without a "$" alone, and never makes JSON invalid that has references in strings alone', () => {
    const references = fc.constantFrom('$HOST', '#{QUOTE}', '$', '#{', 'text', '"', '\\')
    const texts = fc.array(fc.oneof(references, fc.string())).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.dictionary(fc.string(), texts), (object) => {
        const json = dollars(JSON.stringify(object))
        const expanded = expandVariables(json, variables)
        JSON.parse(expanded)
        if (!json.includes('$')) expect(expanded).toBe(json)
      }),
    )
  })

  test('takes long strings', () => {
    const json = JSON.stringify({ a: `#{'x'.repeat(20_000_000)}\\"$HOST` })
    expect(expandVariables(json, variables)).toContain('db-1')
  })
})
