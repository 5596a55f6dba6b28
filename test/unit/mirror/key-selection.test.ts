import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import { KeySelection, type KeySelectionOptions } from '../../../src/mirror/key-selection.ts'
import type { Change } from '../../../src/replication/change.ts'

const PREFIX = Buffer.from('/config/')

function selectionOf(options: Partial<KeySelectionOptions> = {}): KeySelection {
  return new KeySelection(PREFIX, { include: ['**'], exclude: [], leased: 'Mirror', ...options })
}

function keyValue(name: string | Buffer, lease = 0n): KeyValue {
  const key = Buffer.concat([PREFIX, Buffer.from(name)])
  return { key, value: Buffer.from('value'), createRevision: 1, modRevision: 5, version: 1, lease }
}

const put = (name: string | Buffer, lease?: bigint): Change => ({ type: 'put', ...keyValue(name, lease) })
const remove = (name: string): Change => ({ type: 'delete', key: keyValue(name).key, modRevision: 6 })
const names = (list: readonly { readonly key: Buffer }[]) =>
  list.map(({ key }) => key.subarray(PREFIX.length).toString('latin1'))

test.each(['', 'etcd-', 'etcd-mirror/'])(
  'KeySelection below "%s" leaves out the key of auto-compact alone',
  async (prefix) => {
    const selection = new KeySelection(Buffer.from(prefix), { include: ['**'], exclude: [], leased: 'Mirror' })
    const keys = ['etcd-mirror/a', 'etcd-mirror/compaction', 'etcd-mirror/compaction/a'].map((key) => Buffer.from(key))
    const page = keys.map((key) => ({ ...keyValue(''), key }))
    expect(selection.isEverything).toBe(false)
    expect(await selection.ofPage(page)).toEqual([page[0], page[2]])
    const changes = page.map((kv): Change => ({ type: 'put', ...kv }))
    expect(await selection.ofChanges(changes)).toEqual([changes[0], changes[2]])
  },
)

describe('KeySelection include and exclude', () => {
  test.each<[Partial<KeySelectionOptions>, string[]]>([
    [{}, ['', 'a', 'a/b', 'a/b.tmp', 'b', 'config/a']],
    [{ include: ['a', '**'] }, ['', 'a', 'a/b', 'a/b.tmp', 'b', 'config/a']],
    [{ include: ['a/**'] }, ['a', 'a/b', 'a/b.tmp']],
    [{ include: ['*', 'config/*'] }, ['', 'a', 'b', 'config/a']],
    [{ exclude: ['**/*.tmp', 'b'] }, ['', 'a', 'a/b', 'config/a']],
    [{ include: ['a/**'], exclude: ['a/b'] }, ['a', 'a/b.tmp']],
    [{ include: ['a'], exclude: ['**'] }, []],
    [{ include: ['/config/a'] }, []],
  ])('%j of a page and of events', async (options, selected) => {
    const all = ['', 'a', 'a/b', 'a/b.tmp', 'b', 'config/a']
    const selection = selectionOf(options)
    expect(names(await selection.ofPage(all.map((name) => keyValue(name))))).toEqual(selected)
    const changes = [...all.map((name) => put(name)), ...all.map(remove)]
    const expected = changes.filter(({ key }) => selected.includes(key.subarray(PREFIX.length).toString()))
    expect(await selection.ofChanges(changes)).toEqual(expected)
  })

  test('bytes that are no UTF-8 match wildcards, and never hide a "/"', async () => {
    const binary = [Buffer.from([0xff]), Buffer.from([0x61, 0x2f, 0xc3]), Buffer.from([0xe2, 0x2f, 0x62])]
    const page = binary.map((name) => keyValue(name))
    expect(await selectionOf({ include: ['*'] }).ofPage(page)).toEqual([page[0]])
    expect(await selectionOf({ include: ['a/*'] }).ofPage(page)).toEqual([page[1]])
    expect(await selectionOf({ include: ['*/b'] }).ofPage(page)).toEqual([page[2]])
    expect(await selectionOf({ include: ['a'] }).ofPage(page)).toEqual([])
  })

  test('isEverything only if no key can be left out', () => {
    expect(selectionOf().isEverything).toBe(true)
    const others: Partial<KeySelectionOptions>[] = [{ include: ['*'] }, { exclude: ['x'] }, { leased: 'Skip' }]
    expect(others.map((options) => selectionOf(options).isEverything)).toEqual([false, false, false])
  })

  test('ofPages selects of each page', async () => {
    async function* pages() {
      yield [keyValue('a'), keyValue('b')]
      yield [keyValue('c')]
    }
    expect((await Array.fromAsync(selectionOf({ exclude: ['b'] }).ofPages(pages()))).map(names)).toEqual([['a'], ['c']])
  })
})

describe('KeySelection leased: Skip', () => {
  const selection = selectionOf({ leased: 'Skip', exclude: ['x'] })

  test('leaves keys with a lease out of a page', async () => {
    expect(names(await selection.ofPage([keyValue('a', 7n), keyValue('b')]))).toEqual(['b'])
  })

  test('takes a key out when it gets a lease and lets it in when it loses it', async () => {
    expect(await selection.ofChanges([put('a', 7n), put('b'), remove('c'), put('x', 7n)])).toEqual([
      { type: 'delete', key: keyValue('a').key, modRevision: 5 },
      put('b'),
      remove('c'),
    ])
  })

  test('Mirror takes leased keys as any other', async () => {
    expect(await selectionOf({ exclude: ['x'] }).ofChanges([put('a', 7n)])).toEqual([put('a', 7n)])
  })
})

describe('KeySelection with globs of people who share a process with others', () => {
  const costly = Array.from({ length: 4 }, (_, index) => `*${'a?'.repeat(500)}b${index}*`)

  test('what is too long for globs is left out, and is everything without them', async () => {
    const page = [keyValue('a'.repeat(4096)), keyValue('a'.repeat(4097))]
    expect(await selectionOf({ exclude: ['x'] }).ofPage(page)).toEqual([page[0]])
    expect(await selectionOf({ include: ['**', 'x'] }).ofPage(page)).toEqual(page)
    expect(await selectionOf({ leased: 'Skip' }).ofPage(page)).toEqual(page)
  })

  test('long work lets the others have their turn before it ends', async () => {
    const page = Array.from({ length: 20 }, () => keyValue('a'.repeat(4096)))
    const order: string[] = []
    setImmediate(() => order.push('another'))
    await selectionOf({ include: costly }).ofPage(page)
    order.push('page')
    await selectionOf({ include: costly }).ofChanges(
      page.map(({ key }) => remove(key.subarray(PREFIX.length).toString())),
    )
    expect(order).toEqual(['another', 'page'])
  })
})
