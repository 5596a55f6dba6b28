import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Totals } from '../../../../src/mirror/sink.ts'
import { renderListSchema } from '../../../../src/targets/render/options.ts'
import {
  apply,
  changesOf,
  identities,
  inPlaceFiles,
  options,
  position,
  publishedFiles,
  publishedName,
  publishedTree,
  restore,
  snapshot,
  tempDirectory,
} from '../files/support.ts'
import { renderingSink } from './support.ts'

const APP = { document: { file: 'conf/app.json', syntax: 'Json', keys: ['app/**'] } }
const DB = { document: { file: 'db.env', syntax: 'Env', keys: ['db/**'] } }
const TREE = { tree: {} }

describe('renderingOf: tree and documents', () => {
  test('are published together, as one revision', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [TREE, APP, DB])
    await restore(sink, { 'app/a': '1', 'db/url': 'x' }, 5)
    expect(publishedFiles(root)).toEqual({
      'app/a': '1',
      'conf/app.json': '{\n  "app": {\n    "a": "1"\n  }\n}\n',
      'db.env': 'DB_URL=x\n',
      'db/url': 'x',
    })
    await apply(sink, { 'app/a': undefined, 'app/b': '2' }, 6)
    expect(publishedName(root)).toBe('6')
    expect(publishedFiles(root)).toEqual({
      'app/b': '2',
      'conf/app.json': '{\n  "app": {\n    "b": "2"\n  }\n}\n',
      'db.env': 'DB_URL=x\n',
      'db/url': 'x',
    })
  })

  test('without the tree keys have no files of their own', async () => {
    const root = tempDirectory()
    await restore(renderingSink(root, [APP]), { 'app/a': '1', other: 'x' }, 5)
    expect(Object.keys(publishedFiles(root))).toEqual(['conf/app.json'])
  })

  test('a document that a change does not concern is not written again', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [TREE, APP, DB])
    await restore(sink, { 'app/a': '1', 'db/url': 'x' }, 5)
    const before = identities(root)
    await apply(sink, { 'app/a': '2' }, 6)
    const after = identities(root)
    expect(after['db.env']).toBe(before['db.env'])
    expect(after['conf/app.json']).not.toBe(before['conf/app.json'])
  })

  test('a change that no output shows publishes nothing', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [APP])
    await restore(sink, { 'app/a': '1' }, 5)
    const result = await apply(sink, { other: '2' }, 6)
    expect(result).toMatchObject({ published: false, totals: { keys: 2, bytes: 2 } })
    expect(publishedName(root)).toBe('5')
  })

  test('InPlace replaces the files of documents like others', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [TREE, DB], { layout: 'InPlace' })
    await restore(sink, { 'db/url': 'x' }, 5)
    await apply(sink, { 'db/url': 'y' }, 6)
    expect(inPlaceFiles(root)).toEqual({ 'db.env': 'DB_URL=y\n', 'db/url': 'y' })
  })
})

test.each([
  ['app.json', 'app.json', '"app.json" is already written by another item'],
  ['conf', 'conf/app.json', '"conf/app.json" cannot stand beside the file "conf"'],
  ['conf/app.json', 'conf', '"conf" cannot stand beside the file "conf/app.json"'],
])(
  'two outputs on one path, or one where the other needs a directory, are an error: %s and %s',
  (first, second, message) => {
    const outputs = [{ document: { file: first, syntax: 'Json' } }, { template: { file: second, source: 'x.liquid' } }]
    const { error } = renderListSchema.safeParse([TREE, ...outputs])
    expect(error?.issues.map((issue) => issue.message)).toEqual([message])
  },
)

describe('renderingOf: what cannot be rendered', () => {
  test('keeps the last good tree whole, also the files that could be written', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [TREE, DB])
    await restore(sink, { 'db/url': 'x' }, 5)
    const bad = apply(sink, { 'db/url': 'y', 'db/1 2': 'z' }, 6)
    await expect(bad).rejects.toMatchObject({ code: 'RenderFailed', key: 'db/1 2' })
    expect(publishedFiles(root)).toEqual({ 'db.env': 'DB_URL=x\n', 'db/url': 'x' })
    // As the mirror does: what was held comes again with what is new, the newest event of each key.
    await apply(sink, { 'db/url': 'y', 'db/1 2': undefined }, 7)
    expect(publishedFiles(root)).toEqual({ 'db.env': 'DB_URL=y\n', 'db/url': 'y' })
  })

  test('a snapshot that cannot be rendered leaves what stands there', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [DB])
    await restore(sink, { 'db/url': 'x' }, 5)
    await expect(restore(sink, { 'db/-': '1', 'db/.': '2' }, 6)).rejects.toMatchObject({ code: 'RenderFailed' })
    expect(publishedFiles(root)).toEqual({ 'db.env': 'DB_URL=x\n' })
    await apply(sink, { 'db/url': 'y' }, 7)
    expect(publishedFiles(root)).toEqual({ 'db.env': 'DB_URL=y\n' })
  })

  test.each(['conf/app.json', 'conf/app.json/below'])('a key in the place of an output: %s', async (key) => {
    const root = tempDirectory()
    const sink = renderingSink(root, [TREE, APP])
    await restore(sink, { 'app/a': '1' }, 5)
    const before = publishedFiles(root)
    await expect(apply(sink, { [key]: 'x' }, 6)).rejects.toMatchObject({ code: 'RenderFailed', key })
    await expect(restore(sink, { 'app/a': '1', [key]: 'x' }, 6)).rejects.toMatchObject({ code: 'RenderFailed', key })
    expect(publishedFiles(root)).toEqual(before)
    await apply(sink, { [key]: undefined, 'app/a': '2' }, 7)
    expect(publishedFiles(root)['conf/app.json']).toContain('"a": "2"')
  })

  test('a key where an output needs a directory stands in it as any other that is leaf and node', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [TREE, APP])
    await restore(sink, { conf: 'x' }, 5)
    expect(publishedFiles(root)).toEqual({ 'conf/%leaf': 'x', 'conf/app.json': '{}\n' })
  })
})

describe('renderingOf: over restarts', () => {
  const state = { 'app/a': '1', 'app/b': '2', 'db/url': 'x' }

  test('asks for a snapshot, and publishes nothing when that is equal', async () => {
    const root = tempDirectory()
    const first = renderingSink(root, [TREE, APP])
    await restore(first, state, 5)
    await first.close()
    const second = renderingSink(root, [TREE, APP])
    expect(await second.open(options)).toMatchObject({
      position: undefined,
      published: { revision: 5 },
      isSameConfig: true,
      totals: { keys: 3, bytes: 3 },
    })
    expect(await restore(second, state, 6)).toMatchObject({ published: false, written: 0 })
    await apply(second, { 'app/b': '3' }, 7)
    expect(publishedFiles(root)['conf/app.json']).toContain('"b": "3"')
  })

  test('what is changed by hand is found and repaired', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [TREE, APP])
    await restore(sink, state, 5)
    expect(await sink.verify(options)).toEqual({ sound: true })
    writeFileSync(join(publishedTree(root), 'conf/app.json'), '{}')
    expect(await sink.verify(options)).toEqual({ sound: false })
    const found: string[] = []
    const onDifference = ({ path }: { readonly path: string }) => void found.push(path)
    await sink.restore(snapshot(state, position(5)), { ...options, onDifference })
    expect(found).toEqual(['conf/app.json'])
    expect(readFileSync(join(publishedTree(root), 'conf/app.json'), 'utf8')).toContain('"a": "1"')
  })

  test('guards count keys, in whatever files they are', async () => {
    const root = tempDirectory()
    const sink = renderingSink(root, [APP])
    const seen: Totals[] = []
    const admit = (next: Totals) => void seen.push(next)
    await sink.restore(snapshot(state, position(5)), { ...options, admit })
    await sink.apply({ changes: changesOf({ 'app/a': undefined }), position: position(6) }, { ...options, admit })
    expect(seen).toEqual([
      { keys: 3, bytes: 3 },
      { keys: 2, bytes: 2 },
    ])
  })
})
