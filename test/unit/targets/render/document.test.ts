import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse as parseProperties } from 'dot-properties'
import fc from 'fast-check'
import { load } from 'js-yaml'
import { parse as parseToml } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { parse as parseOtherYaml } from 'yaml'
import { GuardError } from '../../../../src/mirror/guard-error.ts'
import { tempDirectory } from '../files/support.ts'
import { documentOf } from './support.ts'

const STATE = {
  'db/port': '5432',
  'db/url': 'postgres://db:5432/app',
  'db/pool': '{"max": 10, "min": 1, "tags": ["a", "yes"]}',
  feature: 'on',
  'feature/dark-mode': 'true',
  motd: 'two\nlines, "quoted" and \'single\'',
}
const VALUES = [
  { keys: ['db/port'], as: 'Number' },
  { keys: ['db/pool'], as: 'Json' },
] as const

const golden = (name: string) => readFileSync(join(import.meta.dirname, 'golden', `${name}.golden`), 'utf8')

describe('Document: the same keys make the same bytes', () => {
  test.each([
    ['app.json', { syntax: 'Json', values: VALUES }],
    ['flat.json', { syntax: 'Json', structure: 'Flat', values: VALUES }],
    ['app.yaml', { syntax: 'Yaml', values: VALUES }],
    ['app.toml', { syntax: 'Toml', values: VALUES }],
    ['app.env', { syntax: 'Env', values: VALUES }],
    ['app.properties', { syntax: 'Properties', values: VALUES }],
  ] as const)('%s', async (name, options) => {
    const text = await documentOf(options, STATE)
    if (process.env.UPDATE_GOLDEN) writeFileSync(join(import.meta.dirname, 'golden', `${name}.golden`), text)
    expect(text).toBe(golden(name))
    expect(await documentOf(options, Object.fromEntries(Object.entries(STATE).reverse()))).toBe(text)
  })

  test('an empty state makes an empty document', async () => {
    expect(await documentOf({ syntax: 'Json' }, {})).toBe('{}\n')
    expect(await documentOf({ syntax: 'Yaml' }, {})).toBe('{}\n')
    expect(await documentOf({ syntax: 'Toml' }, {})).toBe('\n')
    expect(await documentOf({ syntax: 'Env' }, {})).toBe('')
  })

  test('keys chooses what is part of it', async () => {
    expect(await documentOf({ syntax: 'Json', keys: ['db/*'] }, { 'db/a': '1', other: '2' })).toBe(
      '{\n  "db": {\n    "a": "1"\n  }\n}\n',
    )
  })

  test('a key that is leaf and node is the member %leaf of its node, in every nested syntax, and a member of its own when flat', async () => {
    const state = { a: '1', 'a/b': '2' }
    expect(JSON.parse(await documentOf({ syntax: 'Json' }, state))).toEqual({ a: { '%leaf': '1', b: '2' } })
    expect(await documentOf({ syntax: 'Yaml' }, state)).toBe("a:\n  '%leaf': '1'\n  b: '2'\n")
    expect(await documentOf({ syntax: 'Toml' }, state)).toBe('[a]\n"%leaf" = "1"\nb = "2"\n')
    const flat = await documentOf({ syntax: 'Json', structure: 'Flat' }, state)
    expect(JSON.parse(flat)).toEqual({ a: '1', 'a/b': '2' })
  })

  test('names that objects have of their own are only names', async () => {
    const text = await documentOf({ syntax: 'Json' }, { '__proto__/x': '1', constructor: '2' })
    expect(text).toBe('{\n  "__proto__": {\n    "x": "1"\n  },\n  "constructor": "2"\n}\n')
    const yaml = await documentOf({ syntax: 'Yaml' }, { '__proto__/x': '1' })
    expect(yaml).toBe("__proto__:\n  x: '1'\n")
    expect(await documentOf({ syntax: 'Toml' }, { '__proto__/x': 'y' })).toBe('[__proto__]\nx = "y"\n')
  })

  test('a value becomes what its rule says, the first one that fits', async () => {
    const values = [
      { keys: ['a'], as: 'Base64' },
      { keys: ['**'], as: 'Yaml' },
    ] as const
    expect(JSON.parse(await documentOf({ syntax: 'Json', values }, { a: 'x', b: 'list: [1, two]', c: '' }))).toEqual({
      a: 'eA==',
      b: { list: [1, 'two'] },
      c: null,
    })
  })
})

const segment = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/)
const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
const text = fc.string({ unit: 'binary', maxLength: 30 }).filter((value) => value.isWellFormed())
const states = fc.dictionary(key, text, { maxKeys: 8 })
const line = text.filter((value) => !value.includes('\0'))

/** What a nested document of texts says, as keys. */
function flatten(object: Readonly<Record<string, unknown>>, path: readonly string[] = []): [string, unknown][] {
  return Object.entries(object).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null
      ? flatten(value as Readonly<Record<string, unknown>>, [...path, name])
      : [[(name === '%leaf' ? path : [...path, name]).join('/'), value] as [string, unknown]],
  )
}

describe('Document: parsing it gives back every key and value', () => {
  const runs = { numRuns: 60 }

  test.each([
    ['Json', (written: string) => JSON.parse(written)],
    ['Yaml', (written: string) => load(written)],
    ['Yaml', (written: string) => parseOtherYaml(written)],
    ['Toml', (written: string) => parseToml(written)],
  ] as const)('%s, nested and flat', async (syntax, parse) => {
    await fc.assert(
      fc.asyncProperty(states, async (state) => {
        const nested = parse(await documentOf({ syntax }, state)) as Record<string, unknown>
        expect(Object.fromEntries(flatten(nested))).toEqual({ ...state })
        const flat = parse(await documentOf({ syntax, structure: 'Flat' }, state)) as Record<string, unknown>
        expect({ ...flat }).toEqual({ ...state })
      }),
      runs,
    )
  })

  test('Properties', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, line, { maxKeys: 8 }), async (state) => {
        const written = await documentOf({ syntax: 'Properties' }, state)
        expect(Buffer.byteLength(written)).toBe(written.length)
        const expected = Object.entries(state).map(([name, value]) => [name.replaceAll('/', '.'), value])
        expect({ ...parseProperties(written) }).toEqual(Object.fromEntries(expected))
      }),
      runs,
    )
  })

  test('Env, read by a shell', async () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/)
    const directory = tempDirectory()
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, line, { maxKeys: 8 }), async (state) => {
        const file = join(directory, 'app.env')
        writeFileSync(file, await documentOf({ syntax: 'Env' }, state))
        const printed = execFileSync('sh', ['-c', 'set -a; . "$1"; cat /proc/self/environ', 'sh', file], { env: {} })
        const seen = printed
          .toString('utf8')
          .split('\0')
          .map((each) => each.split(/=(.*)/s, 2))
        const found = Object.fromEntries(seen.filter(([each = '']) => !['', 'PWD', '_', 'OLDPWD'].includes(each)))
        const expected = Object.entries(state).map(([each, value]) => [each.toUpperCase(), value])
        expect(found).toEqual(Object.fromEntries(expected.filter(([each = '']) => each !== 'PWD')))
      }),
      { numRuns: 25 },
    )
  })
})

describe('Document: a key that cannot be part of it is named, its value is not', () => {
  const secret = 'hunter2-secret'
  test.each([
    [
      'Json that is none',
      { syntax: 'Json', values: [{ keys: ['**'], as: 'Json' }] },
      { 'a/b': `{"x": ${secret}}` },
      'a/b',
    ],
    ['Yaml that is none', { syntax: 'Json', values: [{ keys: ['**'], as: 'Yaml' }] }, { y: `a: [${secret}` }, 'y'],
    ['a number that is none', { syntax: 'Json', values: [{ keys: ['**'], as: 'Number' }] }, { n: secret }, 'n'],
    [
      'a number with too many digits',
      { syntax: 'Json', values: [{ keys: ['**'], as: 'Json' }] },
      { n: '[12345678901234567890]' },
      'n',
    ],
    ['null in TOML', { syntax: 'Toml', values: [{ keys: ['**'], as: 'Json' }] }, { n: `{"${secret}": null}` }, 'n'],
    ['two keys of one variable', { syntax: 'Env' }, { 'db-url': secret, 'db/url': secret }, 'db/url'],
    ['two keys of one property', { syntax: 'Properties' }, { 'db.url': secret, 'db/url': secret }, 'db/url'],
    ['no name of a variable', { syntax: 'Env' }, { '1st': secret }, '1st'],
    ['a NUL byte in a variable', { syntax: 'Env' }, { a: `${secret}\0` }, 'a'],
    ['bytes that are no text', { syntax: 'Json' }, { 'a\xff': secret }, 'a%FF'],
  ] as const)('%s', async (_what, options, state, name) => {
    const failure = await documentOf(options, state).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(GuardError)
    expect(failure).toMatchObject({ code: 'RenderFailed', key: name })
    expect(String(failure)).toContain('Cannot render out: ')
    expect(`${failure} ${(failure as GuardError).hint}`).not.toContain(secret)
  })

  test('a key that ends in the name of a leaf beside one that is a leaf', async () => {
    const state = { a: '1', 'a/%leaf': '2', 'a/b': '3' }
    await expect(documentOf({ syntax: 'Json' }, state)).rejects.toThrow('two keys would be the member "%leaf"')
    expect(await documentOf({ syntax: 'Json', structure: 'Flat' }, state)).toContain('"a/%leaf": "2"')
  })

  test('a bomb of YAML aliases', async () => {
    const lines = ['a0: &a0 [x, x]', ...Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)]
    const values = [{ keys: ['**'], as: 'Yaml' }] as const
    await expect(documentOf({ syntax: 'Json', values }, { bomb: lines.join('\n') })).rejects.toThrow(/the key bomb/)
  })
})
