import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { KeyErrorSet } from '../../../src/targets/files/key-errors.ts'
import { encodeKeyPath } from '../../../src/targets/files/key-path.ts'
import { KeyPaths } from '../../../src/targets/files/key-paths.ts'
import { layoutOf, RESERVED_NAMES } from '../../../src/targets/files/layout.ts'
import {
  apply,
  fileSink,
  options,
  PREFIX,
  publishedFiles,
  publishedState,
  publishedTree,
  restore,
  tempDirectory,
} from '../targets/files/support.ts'

let outside: string
let root: string

beforeEach(() => {
  outside = tempDirectory()
  root = join(outside, 'mirror')
  mkdirSync(join(outside, 'precious'))
  writeFileSync(join(outside, 'precious/file'), 'of somebody else')
})

/** Everything beside the root, contents included. */
function besideTheRoot(): unknown {
  const names = readdirSync(outside, { recursive: true, encoding: 'utf8' }).filter((name) => !name.startsWith('mirror'))
  return names
    .sort()
    .map((name) => [name, lstatSync(join(outside, name)).isFile() && readFileSync(join(outside, name), 'utf8')])
}

const ESCAPES = [
  '..',
  '../precious/file',
  '../../precious/file',
  '../../../../../../../../../../tmp/escaped',
  '..//../precious/file',
  './../precious/file',
  'a/../../../precious/file',
  '/etc/passwd',
  '//etc/passwd',
  '..\u0000/precious/file',
  'a\u0000',
  '\u0000',
  '%2e%2e/precious/file',
  '%2E%2E/precious/file',
  '..%2fprecious',
  '..\\precious\\file',
  '\xc0\xae\xc0\xae/precious/file',
  '\xe2\x80\xae',
  '~/x',
  '$(touch escaped)',
  '-rf',
]
const OUR_NAMES = [
  '.etcd-mirror/owner.json',
  '.etcd-mirror/lock',
  '.etcd-mirror/trees/1.json',
  '.etcd-mirror',
  '.revisions/1/x',
  'current',
  'current/x',
  'current.next',
  'lost+found',
  '%leaf',
  'a/%leaf',
  'a',
  'a/b',
  '%~',
  'a%~/b',
  '%empty',
  '%aside',
  '%next',
  '',
  '/',
]

describe.each(['Snapshot', 'InPlace'] as const)('layout %s', (layout) => {
  const visible = () => (layout === 'Snapshot' ? publishedFiles(root) : inPlaceFiles())
  /** Path to content of what stands in the root beside our own directory. */
  const inPlaceFiles = () => {
    const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (name) => !/^\.etcd-mirror(\/|$)/.test(name) && lstatSync(join(root, name)).isFile(),
    )
    return Object.fromEntries(names.map((name) => [name, readFileSync(join(root, name), 'utf8')]))
  }
  const expectedFiles = (state: Readonly<Record<string, string>>) => {
    const reserved = layout === 'InPlace' ? RESERVED_NAMES : new Set<string>()
    const keys = Object.keys(state)
    const isParent = (path: string) =>
      keys.some((key) => encodeKeyPath(Buffer.from(key, 'latin1'), reserved).startsWith(`${path}/`))
    return Object.fromEntries(
      keys.map((key) => {
        const path = encodeKeyPath(Buffer.from(key, 'latin1'), reserved)
        return [isParent(path) ? `${path}/%leaf` : path, state[key]]
      }),
    )
  }

  test('keys that try to leave the root, or to be one of our own entries, are files of their own below it', async () => {
    const before = besideTheRoot()
    const sink = fileSink(root, { layout })
    await sink.open(options)
    const state = Object.fromEntries([...ESCAPES, ...OUR_NAMES].map((key, index) => [key, `value ${index}`]))
    const result = await restore(sink, state, 5)
    expect(result.keyErrors.count).toBe(0)
    expect(visible()).toEqual(expectedFiles(state))
    expect(besideTheRoot()).toEqual(before)
    expect(JSON.parse(readFileSync(join(root, '.etcd-mirror/owner.json'), 'utf8'))).toMatchObject({ mirror: 'app' })
    await apply(sink, Object.fromEntries(Object.keys(state).map((key) => [key, undefined])), 6)
    expect(visible()).toEqual({})
    expect(besideTheRoot()).toEqual(before)
  })

  test('keys that look alike stay different files', async () => {
    const alike = [
      'key',
      'KEY',
      'Key',
      '\u212aey',
      'k\u0435y',
      '\u00e9',
      'e\u0301',
      '\uff0e\uff0e',
      '\u2024\u2024',
      'a\u2215b',
      'a\uff0fb',
      'a\u200bb',
      'ab ',
      'ab',
      'ab\u00a0',
      '\ufeffab',
      'a\u202eb',
    ]
    const latin1 = (key: string) => Buffer.from(key).toString('latin1')
    const state = Object.fromEntries(alike.map((key, index) => [latin1(key), `value ${index}`]))
    const sink = fileSink(root, { layout })
    await sink.open(options)
    await restore(sink, state, 5)
    expect(Object.keys(visible())).toHaveLength(alike.length)
    expect(Object.values(visible()).sort()).toEqual(Object.values(state).sort())
  })

  test('a key of more than 1,000 levels, and one of 4 KiB, are written, replaced, followed and removed', async () => {
    const deep = `${'d/'.repeat(1300)}end`
    const long = 'x'.repeat(3500)
    const tooLong = 'y'.repeat(4096)
    const sink = fileSink(root, { layout })
    await sink.open(options)
    const first = await restore(sink, { [deep]: '1', [long]: '1', [tooLong]: '1', plain: '1' }, 5)
    expect(first.keyErrors).toMatchObject({
      count: 1,
      examples: [{ reason: expect.stringContaining('its path needs') }],
    })
    expect(Object.values(visible())).toEqual(['1', '1', '1'])
    await apply(sink, { [deep]: '2', [`${deep}er`]: '2', [long]: '2' }, 6)
    expect(Object.values(visible()).sort()).toEqual(['1', '2', '2', '2'])
    expect(await sink.verify(options)).toEqual({ sound: true })
    const last = await apply(
      sink,
      { [deep]: undefined, [`${deep}er`]: undefined, [long]: undefined, [tooLong]: undefined },
      7,
    )
    expect(last.keyErrors.count).toBe(0)
    expect(visible()).toEqual({ plain: '1' })
  })
})

/** Plants a link to the precious directory, or to its file, in place of what stands at `path`. */
function plant(path: string, to: 'precious' | 'precious/file'): void {
  rmSync(path, { recursive: true, force: true })
  symlinkSync(join(outside, to), path)
}

describe('a symbolic link planted between publishes', () => {
  const places: readonly [string, (tree: string) => string, 'precious' | 'precious/file'][] = [
    ['in place of a key’s file', (tree) => join(tree, 'dir/file'), 'precious/file'],
    ['in place of a directory', (tree) => join(tree, 'dir'), 'precious'],
    ['in place of the visible tree', (tree) => tree, 'precious'],
    ['in place of current', () => join(root, 'current'), 'precious'],
    ['in place of .revisions', () => join(root, '.revisions'), 'precious'],
    ['in place of the states', () => join(root, '.etcd-mirror/trees'), 'precious'],
    ['in place of the trees in the making', () => join(root, '.etcd-mirror/work'), 'precious'],
    ['in place of .etcd-mirror', () => join(root, '.etcd-mirror'), 'precious'],
    ['in place of the next state file', () => join(root, '.etcd-mirror/trees/6.json.next'), 'precious/file'],
    ['in place of the next link', () => join(root, '.etcd-mirror/current.next'), 'precious'],
    ['in place of the owner', () => join(root, '.etcd-mirror/owner.json'), 'precious/file'],
  ]
  test.each(places)(
    '%s is never followed: nothing beside the root is read into it, changed or removed',
    async (_name, place, to) => {
      const before = besideTheRoot()
      const sink = fileSink(root)
      await sink.open(options)
      await restore(sink, { 'dir/file': 'one', 'dir/other': 'one' }, 5)
      plant(place(publishedTree(root)), to)
      for (const revision of [6, 7, 8]) {
        const change = { 'dir/file': `at ${revision}`, 'dir/other': revision === 7 ? undefined : 'back' }
        await apply(sink, change, revision).catch(() => {})
        expect(besideTheRoot()).toEqual(before)
      }
      await restore(sink, { 'dir/file': 'healed' }, 9).catch(() => {})
      await sink.close()
      const next = fileSink(root)
      await next.open(options).catch(() => {})
      await restore(next, { 'dir/file': 'healed' }, 10).catch(() => {})
      expect(besideTheRoot()).toEqual(before)
    },
  )

  test.each(places.slice(0, 4))('%s is gone after the next complete snapshot', async (_name, place, to) => {
    const sink = fileSink(root)
    await sink.open(options)
    await restore(sink, { 'dir/file': 'one', 'dir/other': 'one' }, 5)
    plant(place(publishedTree(root)), to)
    await restore(sink, { 'dir/file': 'two' }, 6)
    expect(publishedState(root)).toEqual({ 'dir/file': 'two' })
    expect(lstatSync(publishedTree(root)).isDirectory()).toBe(true)
  })

  test('in the layout InPlace, in place of a file or a directory, is replaced and not followed', async () => {
    const before = besideTheRoot()
    const sink = fileSink(root, { layout: 'InPlace' })
    await sink.open(options)
    await restore(sink, { 'dir/file': 'one', file: 'one' }, 5)
    plant(join(root, 'dir'), 'precious')
    plant(join(root, 'file'), 'precious/file')
    await apply(sink, { 'dir/file': 'two', file: 'two' }, 6)
    expect(readFileSync(join(root, 'dir/file'), 'utf8')).toBe('two')
    expect([lstatSync(join(root, 'dir')).isDirectory(), lstatSync(join(root, 'file')).isFile()]).toEqual([true, true])
    expect(besideTheRoot()).toEqual(before)
  })
})

describe('many keys that have no path', () => {
  const COUNT = 5000
  const hostile = (fill: number) =>
    Array.from({ length: COUNT }, (_, index) => {
      const key = Buffer.alloc(4096, fill)
      key.write(String(index))
      return key
    })

  test.each([
    ['text', 0x78],
    ['control characters', 1],
    ['bytes that are no text', 0xff],
  ])('of 4 KiB of %s are all counted and told apart, and kept in less memory than they came in', (_what, fill) => {
    const errors = new KeyErrorSet()
    for (const key of hostile(fill)) errors.add(key, 'its path is too long')
    for (const key of hostile(fill)) errors.add(key, 'its path is too long')
    expect(errors.size).toBe(COUNT)
    const { examples } = errors.summary()
    expect(examples).toHaveLength(10)
    for (const { key } of examples) expect(key.length).toBeLessThanOrEqual(201)
    // What is kept of 250,000 keys, the default of limits.maxKeys, must stay below 64 MiB.
    const kept = errors.entries().reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0)
    expect(kept / COUNT).toBeLessThan(256)
    for (const key of hostile(fill)) errors.delete(key)
    expect(errors.summary()).toEqual({ count: 0, examples: [] })
  })

  test('a copy of the set is independent of it', () => {
    const errors = new KeyErrorSet()
    errors.add(Buffer.from('a'), 'why')
    const copy = errors.copy()
    copy.add(Buffer.from('b'), 'why')
    errors.delete(Buffer.from('a'))
    expect([errors.size, copy.size, copy.summary().examples.map(({ key }) => key)]).toEqual([0, 2, ['a', 'b']])
  })

  test('leave a state file that is not larger for it, private to the mirror', async () => {
    const sink = fileSink(root)
    await sink.open(options)
    const keys = Object.fromEntries(hostile(1).map((key) => [key.toString('latin1'), '']))
    expect((await restore(sink, { ...keys, plain: '1' }, 5)).keyErrors.count).toBe(COUNT)
    const state = join(root, '.etcd-mirror/trees/5.json')
    expect(statSync(state).size).toBeLessThan(512 * 1024)
    expect(statSync(state).mode & 0o777).toBe(0o600)
    expect(statSync(join(root, '.etcd-mirror')).mode & 0o777).toBe(0o700)
    expect(existsSync(join(publishedTree(root), 'plain'))).toBe(true)
  })

  test('resolving a key of 4 KiB costs about the same whatever it is made of', () => {
    const paths = new KeyPaths(Buffer.from(PREFIX), layoutOf('/mirror'), new Set())
    const once = (key: Buffer) => {
      const started = process.cpuUsage()
      for (let round = 0; round < 100; round++) paths.resolve(key)
      return process.cpuUsage(started).user
    }
    // Of the whole process, which may collect garbage or compile beside it: the least of some has the least of that.
    const cost = (key: Buffer) => Math.min(...Array.from({ length: 5 }, () => once(key)))
    const deep = Buffer.from('a/'.repeat(2048))
    cost(deep)
    // 20 times is far from what is seen (3), and from what a quadratic step in it would cost (1,000).
    for (const fill of [1, 0x78, 0x25, 0x80, 0xff]) expect(cost(Buffer.alloc(4096, fill))).toBeLessThan(20 * cost(deep))
  })
})
