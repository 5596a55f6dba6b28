import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Sink } from '../../../../src/mirror/sink.ts'
import {
  apply,
  fileSink,
  identities,
  keyValue,
  options,
  position,
  publishedFiles,
  publishedName,
  publishedState,
  publishedTree,
  restore,
  type State,
  snapshot,
  tempDirectory,
} from './support.ts'

const LONG_KEY = 'k/'.repeat(2100)

async function opened(root: string, given: Parameters<typeof fileSink>[1] = {}): Promise<Sink> {
  const sink = fileSink(root, given)
  await sink.open(options)
  return sink
}

/** A sink that has published `state` at `revision`. */
async function publishedSink(root: string, state: State, revision = 10): Promise<Sink> {
  const sink = await opened(root)
  await restore(sink, state, revision)
  return sink
}

describe('file sink, restore', () => {
  test('publishes the first snapshot under its revision', async () => {
    const root = join(tempDirectory(), 'not', 'there', 'yet')
    const sink = await opened(root)
    const result = await restore(sink, { a: '1', 'dir/b': '2', empty: '' }, 10)
    expect(result).toMatchObject({ written: 3, removed: 0, published: true, keyErrors: { count: 0, examples: [] } })
    expect(publishedName(root)).toBe('10')
    expect(publishedFiles(root)).toEqual({ a: '1', 'dir/b': '2', empty: '' })
    expect(readdirSync(root).sort()).toEqual(['.etcd-mirror', '.revisions', 'current'])
  })

  test('publishes an empty first snapshot as an empty tree', async () => {
    const root = tempDirectory()
    const sink = await opened(root)
    expect(await restore(sink, {}, 3)).toMatchObject({ published: true, written: 0 })
    expect(readdirSync(join(root, 'current'))).toEqual([])
  })

  test('keeps files that are equal, writes those that differ, removes those that are gone', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { same: '1', 'd/changed': '1', 'gone/x': '1' })
    const before = identities(root)
    const result = await restore(sink, { same: '1', 'd/changed': '2', new: '3' }, 20)
    expect(result).toMatchObject({ written: 2, removed: 1, published: true })
    expect(publishedName(root)).toBe('20')
    expect(publishedFiles(root)).toEqual({ same: '1', 'd/changed': '2', new: '3' })
    expect(identities(root).same).toBe(before.same)
    expect(existsSync(join(root, 'current', 'gone'))).toBe(false)
  })

  test('publishes nothing when nothing differs, and remembers the position', async () => {
    const root = tempDirectory()
    const state = { a: '1', 'a/b': '2', 'x/y': '3' }
    const sink = await publishedSink(root, state)
    const before = identities(root)
    expect(await restore(sink, state, 30)).toMatchObject({ written: 0, removed: 0, published: false })
    expect(publishedName(root)).toBe('10')
    expect(identities(root)).toEqual(before)
    await sink.close()
    const reopened = await fileSink(root).open(options)
    expect(reopened.position?.revision).toBe(30)
    expect(reopened.published).toEqual({ revision: 10, epoch: 0 })
  })

  test('puts the changes of its end on top of the pages', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { keep: '0', back: '0' })
    const changes = { a: 'new', b: undefined, 'd/e': undefined, 'n/n': '1', back: '0', absent: undefined }
    const pages = { a: 'old', b: '1', back: 'other', 'd/e': '1', keep: '0' }
    const result = await sink.restore(snapshot(pages, position(20), changes), options)
    expect(publishedFiles(root)).toEqual({ a: 'new', back: '0', keep: '0', 'n/n': '1' })
    expect(result).toMatchObject({ written: 2, removed: 0, published: true })
  })

  test('publishes nothing when the changes of its end bring back what is published', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1', b: '1' })
    const source = snapshot({ a: '2', b: '1', c: '1' }, position(20), { a: '1', c: undefined })
    expect(await sink.restore(source, options)).toMatchObject({ written: 0, removed: 0, published: false })
  })

  test('rethrows a page error as it is, discards the staging and works the next time', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1' })
    const failure = Object.assign(new Error('connection lost'), { code: 'ECONNRESET', syscall: 'read' })
    async function* pages() {
      yield [keyValue('a', '2')]
      throw failure
    }
    const source = { pages: pages(), finish: () => Promise.reject(new Error('not reached')) }
    await expect(sink.restore(source, options)).rejects.toBe(failure)
    expect(publishedFiles(root)).toEqual({ a: '1' })
    expect(await restore(sink, { a: '2' }, 11)).toMatchObject({ published: true })
    expect(publishedFiles(root)).toEqual({ a: '2' })
  })

  test('rethrows the abort reason as it is', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1' })
    const reason = new Error('shutting down')
    const source = snapshot({ a: '2' }, position(20))
    await expect(sink.restore(source, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(publishedFiles(root)).toEqual({ a: '1' })
  })

  test('repairs what somebody changed, added, removed or replaced in the published tree', async () => {
    const root = tempDirectory()
    const state = { a: '1', b: '1', c: '1', 'd/e': '1' }
    const sink = await publishedSink(root, state)
    const before = identities(root)
    const tree = publishedTree(root)
    writeFileSync(join(tree, 'a'), 'x')
    writeFileSync(join(tree, 'added'), 'x')
    chmodSync(join(tree, 'b'), 0o600)
    expect(await restore(sink, state, 11)).toMatchObject({ written: 2, removed: 1, published: true })
    chmodSync(join(publishedTree(root), 'd'), 0o700)
    expect(await restore(sink, state, 12)).toMatchObject({ written: 0, removed: 0, published: true })
    expect(statSync(join(root, 'current', 'd')).mode & 0o777).toBe(0o755)
    expect(publishedState(root)).toEqual(state)
    expect(statSync(join(root, 'current', 'b')).mode & 0o777).toBe(0o644)
    expect(identities(root).c).toBe(before.c)
  })
})

describe('file sink, apply', () => {
  test('publishes a batch as one new tree and leaves what did not change alone', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1', b: '1', 'deep/er/c': '1' })
    const before = identities(root)
    const result = await apply(sink, { a: '2', 'deep/er/c': undefined, 'x/y': 'new' }, 11)
    expect(result).toMatchObject({ written: 2, removed: 1, published: true })
    expect(publishedName(root)).toBe('11')
    expect(publishedFiles(root)).toEqual({ a: '2', b: '1', 'x/y': 'new' })
    expect(identities(root).b).toBe(before.b)
    expect(existsSync(join(root, 'current', 'deep'))).toBe(false)
  })

  test('never changes the bytes of a file in place: a reader with an open tree keeps its content', async () => {
    const root = tempDirectory()
    const sink = fileSink(root, { readerGraceMs: 60_000 })
    await sink.open(options)
    await restore(sink, { a: '1', b: '1' }, 10)
    const old = publishedTree(root)
    await apply(sink, { a: '2' }, 11)
    expect(readFileSync(join(old, 'a'), 'utf8')).toBe('1')
    expect(publishedFiles(root)).toEqual({ a: '2', b: '1' })
  })

  test('publishes nothing when every file is equal already, and remembers the position', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1' })
    const before = identities(root)
    expect(await apply(sink, { a: '1', absent: undefined }, 11)).toMatchObject({ written: 0, published: false })
    expect(publishedName(root)).toBe('10')
    expect(identities(root)).toEqual(before)
    await sink.close()
    expect((await fileSink(root).open(options)).position?.revision).toBe(11)
  })

  test('publishes the same revision again under another name', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1' })
    await apply(sink, { a: '2' }, 10)
    expect(publishedName(root)).toBe('10-1')
    await apply(sink, { a: '3' }, 10)
    expect(publishedName(root)).toBe('10-2')
    await apply(sink, { a: '4' }, 11)
    expect(publishedName(root)).toBe('11')
  })

  test('goes back to a lower revision in a higher epoch only, never under a name that was used', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1' })
    await apply(sink, { a: '2' }, 20)
    await expect(apply(sink, { a: '3' }, 19)).rejects.toMatchObject({ code: 'TargetBroken' })
    await expect(restore(sink, { a: '3' }, 19)).rejects.toMatchObject({ code: 'TargetBroken' })
    expect(publishedFiles(root)).toEqual({ a: '2' })
    await sink.restore(snapshot({ a: '3' }, position(10, { epoch: 1 })), options)
    expect(publishedName(root)).toBe('10-1')
    await expect(apply(sink, { a: '4' }, 30)).rejects.toMatchObject({ code: 'TargetBroken' })
    await sink.close()
    const again = fileSink(root)
    expect((await again.open(options)).published).toEqual({ revision: 10, epoch: 1 })
    await again.restore(snapshot({ a: '4' }, position(20, { epoch: 1 })), options)
    expect(publishedName(root)).toBe('20-2')
  })

  test('refuses to apply where nothing was ever published', async () => {
    const sink = await opened(tempDirectory())
    await expect(apply(sink, { a: '1' }, 5)).rejects.toMatchObject({ code: 'TargetBroken' })
  })

  test('keeps the published tree through hundreds of batches equal to the model', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, {})
    const model: Record<string, string> = {}
    for (let revision = 11; revision < 300; revision += 1) {
      const key = `k${(revision * 7) % 23}/${revision % 3 === 0 ? 'x' : 'y'}`
      if (revision % 4 === 0) delete model[key]
      else model[key] = String(revision)
      await apply(sink, { [key]: model[key] }, revision)
      expect(publishedFiles(root)).toEqual(model)
    }
  })
})

describe('file sink, keys that are leaf and directory', () => {
  test('moves the leaf into the directory while other keys are below it, and back', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: 'leaf' })
    await apply(sink, { 'a/b/c': '1' }, 11)
    expect(publishedFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/b/c': '1' })
    await apply(sink, { 'a/b': '2' }, 12)
    expect(publishedFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/b/%leaf': '2', 'a/b/c': '1' })
    await apply(sink, { 'a/b/c': undefined }, 13)
    expect(publishedFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/b': '2' })
    await apply(sink, { 'a/b': undefined }, 14)
    expect(publishedFiles(root)).toEqual({ a: 'leaf' })
    await apply(sink, { a: undefined, 'a/z': '1' }, 15)
    expect(publishedFiles(root)).toEqual({ 'a/z': '1' })
    await apply(sink, { a: 'late' }, 16)
    expect(publishedFiles(root)).toEqual({ 'a/%leaf': 'late', 'a/z': '1' })
    expect(await restore(sink, { a: 'late', 'a/z': '1' }, 17)).toMatchObject({ published: false })
  })

  test('empties a directory and fills it again in one batch', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: 'leaf', 'a/b': '1', 'd/x/y': '1' })
    await apply(sink, { 'a/b': undefined, 'd/x/y': undefined, 'a/c': '2', 'd/x/z': '2' }, 11)
    expect(publishedFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/c': '2', 'd/x/z': '2' })
  })

  test('gives the same tree for any order of puts and deletes as a fresh restore of what is left', async () => {
    const key = fc
      .array(fc.constantFrom('a', 'b', '', '..', '%', 'x'.repeat(300), '\xff'), { minLength: 1, maxLength: 4 })
      .map((segments) => segments.join('/'))
    const change = fc.record({ key, value: fc.option(fc.constantFrom('1', '2'), { nil: undefined }) })
    const batches = fc.array(fc.uniqueArray(change, { selector: ({ key }) => key, minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(batches, async (list) => {
        const [root, fresh] = [tempDirectory(), tempDirectory()]
        const sink = await publishedSink(root, {})
        const model: Record<string, string> = {}
        for (const [index, batch] of list.entries()) {
          await apply(sink, Object.fromEntries(batch.map(({ key, value }) => [key, value])), 11 + index)
          for (const { key, value } of batch) {
            if (value === undefined) delete model[key]
            else model[key] = value
          }
        }
        await publishedSink(fresh, model, 50)
        expect(publishedFiles(root)).toEqual(publishedFiles(fresh))
        expect(publishedState(root)).toEqual(model)
        expect(await restore(sink, model, 60)).toMatchObject({ published: false })
      }),
      { numRuns: 60 },
    )
  })
})

describe('file sink, keys that cannot be represented', () => {
  test('counts them exactly, keeps them out, and names some with the reason', async () => {
    const root = tempDirectory()
    const sink = await opened(root)
    const result = await restore(sink, { a: '1', [`${LONG_KEY}1`]: 'x', [`${LONG_KEY}2`]: 'x' }, 10)
    expect(result.keyErrors.count).toBe(2)
    expect(result.keyErrors.examples[0]?.key).toMatch(/^\/config\/k\/k\//)
    expect(result.keyErrors.examples[0]?.reason).toMatch(/its path needs \d+ bytes, at most \d+ fit/)
    expect(publishedFiles(root)).toEqual({ a: '1' })
    // A merged batch: put again, deleted, created and deleted since, created.
    const changes = {
      [`${LONG_KEY}1`]: 'y',
      [`${LONG_KEY}2`]: undefined,
      [`${LONG_KEY}3`]: undefined,
      [`${LONG_KEY}4`]: 'x',
    }
    const applied = await apply(sink, changes, 11)
    expect(applied).toMatchObject({ published: false, keyErrors: { count: 2 } })
    await sink.close()
    const again = fileSink(root)
    expect((await again.open(options)).keyErrors.count).toBe(2)
    expect((await apply(again, { [`${LONG_KEY}1`]: undefined, b: '1' }, 12)).keyErrors.count).toBe(1)
    expect((await apply(again, { [`${LONG_KEY}4`]: undefined }, 13)).keyErrors).toEqual({ count: 0, examples: [] })
  })

  test('shows at most ten examples, printable and short', async () => {
    const sink = await opened(tempDirectory())
    const keys = Array.from({ length: 12 }, (_, index) => [`\x00\xff${index}/${LONG_KEY}`, 'x'])
    const { keyErrors } = await restore(sink, Object.fromEntries(keys), 10)
    expect(keyErrors.count).toBe(12)
    expect(keyErrors.examples).toHaveLength(10)
    for (const { key } of keyErrors.examples) expect(key).toMatch(/^\/config\/%00%FF[ -~]{1,190}…$/)
  })

  test('needs a snapshot after a restart when there are more than a state holds', async () => {
    const root = tempDirectory()
    const sink = await opened(root)
    const keys = Array.from({ length: 1001 }, (_, index) => [LONG_KEY + index, 'x'])
    await restore(sink, Object.fromEntries(keys), 10)
    await sink.close()
    expect(await fileSink(root).open(options)).toMatchObject({ position: undefined, published: { revision: 10 } })
  })

  test('represents the longest key that fits, and the key above it as a directory', async () => {
    const root = tempDirectory()
    const sink = await opened(root)
    const keyOf = (length: number) => `${'k'.repeat(199)}/`.repeat(19) + 'k'.repeat(length)
    let length = 1
    while ((await restore(sink, { [keyOf(length)]: '1' }, 10)).keyErrors.count === 0) length += 1
    const longest = keyOf(length - 1)
    const above = longest.slice(0, -(length - 1) - 1)
    await restore(sink, { [above]: '1', [longest]: '1' }, 11)
    expect(publishedState(root)).toEqual({ [above]: '1', [longest]: '1' })
    await apply(sink, { [longest]: '2' }, 2 ** 53 - 1)
    await apply(sink, { [longest]: '3' }, 2 ** 53 - 1)
    expect(publishedState(root)).toEqual({ [above]: '1', [longest]: '3' })
  })
})

describe('file sink, modes', () => {
  test('gives files and directories their modes whatever the umask', async () => {
    const root = tempDirectory()
    const umask = process.umask(0o077)
    try {
      const sink = await opened(root, { mode: 0o664, directoryMode: 0o775 })
      await restore(sink, { 'd/a': '1' }, 10)
      await apply(sink, { 'e/f/b': '1' }, 11)
    } finally {
      process.umask(umask)
    }
    const mode = (path: string) => (statSync(join(root, path)).mode & 0o7777).toString(8)
    expect(['current/d/a', 'current/e/f/b'].map(mode)).toEqual(['664', '664'])
    expect(['.revisions', 'current/', 'current/d', 'current/e/f'].map(mode)).toEqual(['775', '775', '775', '775'])
    expect(mode('.etcd-mirror')).toBe('700')
  })

  test('leaves the group and the set-group-ID bit of an fsGroup volume alone', async () => {
    const root = tempDirectory()
    chmodSync(root, 0o2775)
    const umask = process.umask(0o077)
    const sink = await opened(root)
    await restore(sink, { 'd/a': '1' }, 10).finally(() => process.umask(umask))
    expect(statSync(join(root, 'current', 'd')).mode & 0o7777).toBe(0o2755)
    expect(await restore(sink, { 'd/a': '1' }, 11)).toMatchObject({ published: false })
  })

  test('publishes other modes when they are configured', async () => {
    const root = tempDirectory()
    await (await publishedSink(root, { 'd/a': '1' })).close()
    const sink = await opened(root, { mode: 0o600, directoryMode: 0o700, configHash: 'other' })
    expect(await restore(sink, { 'd/a': '1' }, 10)).toMatchObject({ published: true, written: 1 })
    expect(statSync(join(root, 'current', 'd', 'a')).mode & 0o777).toBe(0o600)
    expect(statSync(join(root, 'current', 'd')).mode & 0o777).toBe(0o700)
    await sink.close()
    const directories = await opened(root, { mode: 0o600, directoryMode: 0o750, configHash: 'third' })
    expect(await restore(directories, { 'd/a': '1' }, 10)).toMatchObject({ published: true, written: 0 })
    expect(statSync(join(root, '.revisions')).mode & 0o777).toBe(0o750)
  })
})

describe('file sink, symbolic links in its trees', () => {
  test('never follows one in place of a directory or file, and replaces it', async () => {
    const root = tempDirectory()
    const outside = tempDirectory()
    writeFileSync(join(outside, 'a'), '1')
    const sink = await publishedSink(root, { x: '1', f: '1' })
    await apply(sink, { x: '2' }, 11)
    symlinkSync(outside, join(publishedTree(root), 'd'))
    symlinkSync(join(outside, 'a'), join(publishedTree(root), 'g'))
    await apply(sink, { x: '3' }, 12)
    symlinkSync(outside, join(publishedTree(root), 'd'))
    symlinkSync(join(outside, 'a'), join(publishedTree(root), 'g'))
    for (let revision = 13; revision < 17; revision += 1) {
      await apply(sink, { 'd/a': '1', 'd/b': String(revision), g: '1' }, revision)
      expect(lstatSync(join(publishedTree(root), 'd')).isDirectory()).toBe(true)
      expect(lstatSync(join(publishedTree(root), 'g')).isFile()).toBe(true)
      expect(publishedFiles(root)).toMatchObject({ 'd/a': '1', 'd/b': String(revision), g: '1', x: '3', f: '1' })
    }
    expect(readdirSync(outside)).toEqual(['a'])
    expect(lstatSync(join(outside, 'a')).nlink).toBe(1)
  })
})
