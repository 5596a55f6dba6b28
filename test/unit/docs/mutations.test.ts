import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MUTATIONS, mutate } from '../../mutations/mutations.mjs'

const PROJECT = join(import.meta.dirname, '../../..')
const text = (file: string) => readFileSync(join(PROJECT, file), 'utf8')

describe.each(MUTATIONS)('the mutation "$name"', (mutation) => {
  test('fits the code, and names tests that exist', () => {
    expect(mutate(text(mutation.file), mutation)).not.toBe(text(mutation.file))
    for (const file of mutation.tests) expect(existsSync(join(PROJECT, file)), file).toBe(true)
  })

  test('has a row in docs/mutations.md', () => {
    expect(text('docs/mutations.md')).toContain(`\n| ${mutation.name} | [\`${mutation.file}\`](../${mutation.file}) |`)
  })
})

test('docs/mutations.md tells of no mutation that there is not, and no two have one name', () => {
  const names = MUTATIONS.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  const rows = text('docs/mutations.md').match(/^\| (?!-|mutation \|).*/gm) ?? []
  expect(rows).toHaveLength(names.length)
})

test('mutate refuses a patch that fits nowhere, or twice', () => {
  const patch = { name: 'x', file: 'f', find: 'a', replace: 'b', tests: [] }
  expect(() => mutate('none', { ...patch, find: 'a' })).toThrow('0 times')
  expect(() => mutate('a a', patch)).toThrow('2 times')
})
