import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FLAGS } from '../../../src/commands/flag-table.ts'
import { mirrorFileJsonSchema } from '../../../src/config/mirror-file-json-schema.ts'
import type { JsonSchema } from '../../../src/config-files/json-schema.ts'
import { etcdConfSchema } from '../../../src/etcd/options.ts'

const text = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')

/** The cells of the tables below one heading, header rows left out, code marks taken off the first cell. */
function rows(heading: string): string[][] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const lines = section.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
}

const keys = (heading: string) => rows(heading).map(([key]) => key)

function leaves(schema: JsonSchema, path: string): [string, JsonSchema][] {
  const members = Object.entries(schema.properties ?? {})
  if (schema.items) return leaves(schema.items, `${path}[]`)
  if (members.length === 0) return [[path, schema]]
  return members.flatMap(([key, member]) => leaves(member, path === '' ? key : `${path}.${key}`))
}

test('docs/configuration.md lists exactly the keys of etcd.conf, in the order of the schema', () => {
  expect(keys('etcd.conf')).toEqual(Object.keys(etcdConfSchema.shape))
})

test('docs/configuration.md lists exactly the fields of mirror.yaml with their defaults', () => {
  const fields = leaves(mirrorFileJsonSchema(), '')
  expect(keys('mirror.yaml')).toEqual(fields.map(([path]) => path))
  for (const [path, { default: fallback }] of fields) {
    if (fallback === undefined) continue
    const row = rows('mirror.yaml').find(([key]) => key === path)
    expect([path, row?.[2]?.replaceAll('"', '')]).toEqual([path, String(fallback)])
  }
})

test('docs/configuration.md lists exactly the flags with their variables', () => {
  const documented = rows('Flags and variables').map(([flag, variables]) => [flag, variables])
  expect(documented).toEqual(Object.values(FLAGS).map(({ usage, variables }) => [usage, variables.join(', ')]))
})
