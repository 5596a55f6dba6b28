import { describe, expect, test } from 'vitest'
import { deepFreeze } from '../../../../src/config/deep-freeze.ts'
import { treeProjection } from '../../../../src/targets/files/tree-projection.ts'
import type { ValidateOptions } from '../../../../src/targets/validate/options.ts'
import { validatedProjection } from '../../../../src/targets/validate/validated-projection.ts'
import { Validation } from '../../../../src/targets/validate/validation.ts'
import { apply, fileSink, inPlaceFiles, publishedFiles, restore, tempDirectory } from '../files/support.ts'

const secret = 'hunter2-secret'
const rule = (given: Partial<ValidateOptions>): ValidateOptions => ({
  files: ['**'],
  syntax: 'Json',
  schema: given.schemaContent === undefined ? '' : 'app.schema.json',
  schemaContent: undefined,
  timeoutMs: 30_000,
  ...given,
})

const failureOf = (given: Partial<ValidateOptions>, text: string | Buffer) => {
  try {
    new Validation([rule(given)]).check('conf/app', Buffer.from(text))
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe('Validation', () => {
  test.each([
    ['Json', '{"a": [1]}'],
    ['Yaml', 'a:\n  - 1\n'],
    ['Yaml', ''],
    ['Toml', 'a = 1\n[b]\nc = "x"\n'],
    ['Env', '# comment\nA=1\nexport B="two\nlines"\n\nC=\'it\'\nD=\n'],
  ] as const)('%s that is well formed passes', (syntax, text) => {
    expect(failureOf({ syntax }, text)).toBeUndefined()
  })

  test.each([
    ['Json', `{\n  "a": ${secret}\n}`, 'it is not JSON (line 2)'],
    ['Yaml', `a: 1\nb: [${secret}\nc: 2`, 'it is not YAML (line'],
    ['Toml', `a = 1\nb = ${secret}\n`, 'it is not TOML (line 2)'],
    ['Env', `A=1\n${secret}\n`, 'it is not a file of variables (line 2)'],
    ['Env', `A="${secret}\n`, 'it is not a file of variables'],
  ] as const)('%s that is broken is refused with its place, without its content', (syntax, text, message) => {
    const failure = failureOf({ syntax }, text)
    expect(failure).toContain(`Cannot publish conf/app: ${message}`)
    expect(failure).not.toContain(secret)
  })

  test('bytes that are no text are refused', () => {
    expect(failureOf({}, Buffer.from([0xff]))).toContain('it is not UTF-8 text')
  })

  const schemaContent = deepFreeze({
    type: 'object',
    required: ['db'],
    properties: {
      db: {
        type: 'object',
        properties: {
          port: { type: 'integer', maximum: 65_535 },
          mode: { enum: ['ro', 'rw'] },
          url: { pattern: '^[a-z]+:' },
        },
        additionalProperties: false,
      },
    },
  })

  test.each([
    ['{"db": {"port": 5432, "mode": "ro", "url": "x:"}}', undefined],
    [`{"db": {"port": "${secret}"}}`, '/db/port (type)'],
    ['{"db": {"port": 987654321}}', '/db/port (maximum)'],
    [`{"db": {"mode": "${secret}"}}`, '/db/mode (enum)'],
    [`{"db": {"url": "${secret}"}}`, '/db/url (pattern)'],
    ['{}', '/ (required)'],
  ])('a schema of JSON: %s', (text, place) => {
    const failure = failureOf({ schemaContent }, text)
    expect(failure).toBe(place && `Cannot publish conf/app: it does not fit app.schema.json: ${place}`)
    expect(String(failure)).not.toMatch(/hunter2|987654321/)
  })

  test('the other syntaxes are held to a schema as well', () => {
    expect(failureOf({ syntax: 'Yaml', schemaContent }, 'db: {port: x}')).toContain('/db/port (type)')
    expect(failureOf({ syntax: 'Toml', schemaContent }, '[db]\nport = "x"\n')).toContain('/db/port (type)')
    expect(failureOf({ syntax: 'Env', schemaContent: { required: ['A'] } }, 'B=1\n')).toContain('/ (required)')
  })

  test('only files that a rule names are looked at', () => {
    expect(failureOf({ files: ['*.json'] }, 'no JSON')).toBeUndefined()
  })
})

describe.each(['Snapshot', 'InPlace'] as const)('validatedProjection, layout %s', (layout) => {
  test('holds the last good tree for a file that is refused, and goes on with the next that is not', async () => {
    const root = tempDirectory()
    const projection = validatedProjection(treeProjection, new Validation([rule({ files: ['*.json'] })]))
    const sink = fileSink(root, { layout, projection })
    const files = () => (layout === 'InPlace' ? inPlaceFiles(root) : publishedFiles(root))
    await restore(sink, { 'a.json': '1', b: 'x' }, 5)
    await expect(apply(sink, { 'a.json': '{', b: 'y' }, 6)).rejects.toMatchObject({
      code: 'ValidationFailed',
      key: 'a.json',
    })
    expect(files()).toEqual({ 'a.json': '1', b: 'x' })
    await expect(restore(sink, { 'a.json': '{' }, 6)).rejects.toMatchObject({ code: 'ValidationFailed' })
    expect(files()).toEqual({ 'a.json': '1', b: 'x' })
    await apply(sink, { 'a.json': '2', b: 'y' }, 7)
    expect(files()).toEqual({ 'a.json': '2', b: 'y' })
  })
})
