import { describe, expect, test } from 'vitest'
import { renderingOf } from '../../../../src/targets/render/rendering.ts'
import { rewriteSchema } from '../../../../src/targets/rewrite/options.ts'
import { Rewriting } from '../../../../src/targets/rewrite/rewriting.ts'
import { rewrittenProjection } from '../../../../src/targets/rewrite/rewritten-projection.ts'
import { apply, fileSink, options, PREFIX, publishedFiles, restore, tempDirectory } from '../files/support.ts'
import { parseRender, type WrittenRender } from '../render/support.ts'

const nameOf = (rules: readonly object[], key: string) =>
  new Rewriting(rewriteSchema.parse(rules)).nameOf(Buffer.from(key, 'latin1'))?.toString('latin1')

describe('Rewriting', () => {
  test.each([
    [[{ match: '^v1/', replace: '' }], 'v1/a', 'a'],
    [[{ match: '^v1/', replace: '' }], 'v2/a', 'v2/a'],
    [[{ match: '(\\w+)\\.(\\w+)', replace: '$2/$1' }], 'a.b', 'b/a'],
    [[{ match: '-', replace: '_' }], 'a-b-c', 'a_b_c'],
    [[{ match: '\\.bak$', drop: true }], 'a.bak', undefined],
    [[{ match: '^UP', lower: true }], 'UP/Case', 'up/case'],
    [
      [
        { match: '^A', replace: 'B' },
        { match: '^B', lower: true },
      ],
      'AX',
      'bx',
    ],
    [[{ match: '.', drop: true }], '\xff', '\xff'],
  ])('%j: %s', (rules, key, name) => {
    expect(nameOf(rules, key)).toBe(name)
  })

  test('a pattern that would take for ever elsewhere takes no time', () => {
    expect(nameOf([{ match: '^(a+)+$', replace: 'x' }], `${'a'.repeat(50_000)}b`)).toHaveLength(50_001)
  })

  test.each([
    [{ match: '(' }, 'error parsing regexp'],
    [{ match: 'a(?=b)', replace: '' }, 'error parsing regexp'],
    [{ match: 'a' }, 'must hold drop alone'],
    [{ match: 'a', drop: true, replace: 'b' }, 'must hold drop alone'],
  ])('%j is refused', (rule, message) => {
    const { error } = rewriteSchema.safeParse([rule])
    expect(error?.issues.map((issue) => issue.message).join()).toContain(message)
  })
})

describe('rewrittenProjection', () => {
  const sinkOf = (root: string, rules: readonly object[], render: WrittenRender = [{ tree: {} }]) => {
    const prefix = Buffer.from(PREFIX)
    const rewriting = new Rewriting(rewriteSchema.parse(rules))
    return fileSink(root, {
      projection: rewrittenProjection(renderingOf(parseRender(render), prefix), rewriting, prefix),
    })
  }

  test('tree and documents know the keys by their other names', async () => {
    const root = tempDirectory()
    const document = { file: 'all.json', syntax: 'Json', structure: 'Flat', keys: ['app/**'] }
    const rules = [
      { match: '^v1/', replace: 'app/' },
      { match: '^tmp/', drop: true },
    ]
    const sink = sinkOf(root, rules, [{ tree: {} }, { document }])
    await restore(sink, { 'v1/a': '1', 'tmp/x': '2' }, 5)
    expect(publishedFiles(root)).toEqual({ 'app/a': '1', 'all.json': '{\n  "app/a": "1"\n}\n' })
    await apply(sink, { 'v1/a': undefined, 'v1/b': '3', 'tmp/x': undefined }, 6)
    expect(publishedFiles(root)).toEqual({ 'app/b': '3', 'all.json': '{\n  "app/b": "3"\n}\n' })
  })

  test('two keys with one name hold the copy until one is gone', async () => {
    const root = tempDirectory()
    const sink = sinkOf(root, [{ match: '.', lower: true }])
    await restore(sink, { A: '1' }, 5)
    const both = { code: 'RenderFailed', message: 'Cannot rewrite keys: A and a would both be named a' }
    await expect(apply(sink, { a: '2', b: 'x' }, 6)).rejects.toMatchObject(both)
    await expect(restore(sink, { A: '1', a: '2' }, 6)).rejects.toMatchObject(both)
    expect(publishedFiles(root)).toEqual({ a: '1' })
    await apply(sink, { a: '2', b: 'x', A: undefined }, 7)
    expect(publishedFiles(root)).toEqual({ a: '2', b: 'x' })
    await apply(sink, { A: undefined, c: 'y' }, 8)
    expect(publishedFiles(root)).toEqual({ a: '2', b: 'x', c: 'y' })
  })

  test('a held step that comes again with more has the same outcome as if it had come at once', async () => {
    const root = tempDirectory()
    const sink = sinkOf(root, [{ match: '.', lower: true }])
    await restore(sink, { A: '1', C: '1' }, 5)
    await expect(apply(sink, { A: undefined, a: '2', c: '2' }, 6)).rejects.toMatchObject({ code: 'RenderFailed' })
    await apply(sink, { A: undefined, a: '2', c: undefined }, 7)
    expect(publishedFiles(root)).toEqual({ a: '2', c: '1' })
  })

  test('after a restart the names are learned from a snapshot', async () => {
    const root = tempDirectory()
    const first = sinkOf(root, [{ match: '.', lower: true }])
    await restore(first, { A: '1' }, 5)
    await first.close()
    const second = sinkOf(root, [{ match: '.', lower: true }])
    expect(await second.open(options)).toMatchObject({ position: undefined, published: { revision: 5 } })
    expect(await restore(second, { A: '1' }, 6)).toMatchObject({ published: false })
    await expect(apply(second, { a: '2' }, 7)).rejects.toMatchObject({ code: 'RenderFailed' })
  })
})
