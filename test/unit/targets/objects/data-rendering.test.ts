import { expect, test } from 'vitest'
import { DataRendering } from '../../../../src/targets/objects/data-rendering.ts'
import { configMapTargetSchema } from '../../../../src/targets/objects/options.ts'
import { KeyValues } from '../../../../src/targets/render/key-values.ts'

const position = { clusterId: 1n, revision: 7, raftTerm: 1, keyCount: 0, anchor: undefined, epoch: 0 }

async function render(list: readonly unknown[], keys: Readonly<Record<string, string>>) {
  const options = configMapTargetSchema.parse({ name: 'app', render: list }).render
  const rendering = new DataRendering(options)
  const state = new KeyValues((key) => rendering.reads(key))
  for (const [key, value] of Object.entries(keys)) state.set(Buffer.from(key), Buffer.from(value))
  const signal = new AbortController().signal
  const { data, refused } = await rendering.render({ entries: state.sorted, position, signal })
  return { data: Object.fromEntries([...data].map(([name, value]) => [name, String(value)])), refused }
}

const KEYS = { 'db/host': 'h', 'db/port': '5432', app: '{"a":1}' }

test('the tree has one data key a key', async () => {
  expect(await render([{ tree: {} }], KEYS)).toEqual({
    data: { app: '{"a":1}', 'db.host': 'h', 'db.port': '5432' },
    refused: [],
  })
})

test('a document holds the keys that it reads, nested at "/"; without the tree nothing else is there', async () => {
  const values = [{ keys: ['app'], as: 'Json' }]
  const { data } = await render([{ document: { file: 'all.json', syntax: 'Json', values } }], KEYS)
  expect(Object.keys(data)).toEqual(['all.json'])
  expect(JSON.parse(data['all.json'] ?? '')).toEqual({ app: { a: 1 }, db: { host: 'h', port: '5432' } })
})

test('a document and the tree stand beside each other; a key with the name of the document is refused', async () => {
  const document = { file: 'db.host', syntax: 'Yaml', keys: ['db/*'] }
  const { data, refused } = await render([{ tree: {} }, { document }], KEYS)
  expect(data).toEqual({ app: '{"a":1}', 'db.port': '5432', 'db.host': "db:\n  host: h\n  port: '5432'\n" })
  expect(refused.map(({ key, reason }) => [String(key), reason])).toEqual([
    ['db/host', 'would have the name "db.host" of a document'],
  ])
})

test('a document that cannot be made of the keys is told by key, without its value', async () => {
  const document = { file: 'a.json', syntax: 'Json', values: [{ keys: ['**'], as: 'Json' }] }
  await expect(render([{ document }], { secret: 'hunter2' })).rejects.toThrow(
    'Cannot render a.json: the key secret is not JSON',
  )
})
