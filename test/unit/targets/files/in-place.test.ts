import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Sink } from '../../../../src/mirror/sink.ts'
import { interceptedFiles } from './failing-files.ts'
import {
  apply,
  fileSink,
  inPlaceFiles,
  inPlaceIdentities,
  inPlaceState,
  keyValue,
  options,
  position,
  restore,
  type State,
  snapshot,
  type TestSinkOptions,
  tempDirectory,
  until,
} from './support.ts'

async function opened(root: string, given: TestSinkOptions = {}): Promise<Sink> {
  const sink = fileSink(root, { layout: 'InPlace', ...given })
  await sink.open(options)
  return sink
}

async function publishedSink(root: string, state: State, given: TestSinkOptions = {}): Promise<Sink> {
  const sink = await opened(root, given)
  await restore(sink, state, 10)
  return sink
}

function change(model: Record<string, string>, changes: Readonly<Record<string, string | undefined>>): void {
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete model[key]
    else model[key] = value
  }
}

describe('in-place file sink, restore', () => {
  test('puts the first snapshot into the root itself, each top-level entry with one rename', async () => {
    const root = join(tempDirectory(), 'not', 'there', 'yet')
    const renamed: string[] = []
    const files = interceptedFiles((method, [, to]) => {
      if (method === 'rename' && !String(to).includes('.etcd-mirror')) renamed.push(String(to))
    })
    const sink = await opened(root, { files })
    const state = { a: '1', 'dir/b': '2', 'dir/c/d': '3', empty: '' }
    expect(await restore(sink, state, 10)).toMatchObject({ written: 4, removed: 0, published: true })
    expect(inPlaceFiles(root)).toEqual(state)
    expect(readdirSync(root).sort()).toEqual(['.etcd-mirror', 'a', 'dir', 'empty'])
    expect(renamed.sort()).toEqual(['a', 'dir', 'empty'].map((name) => join(root, name)))
  })

  test('keeps files that are equal, replaces those that differ, prunes those that are gone', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { same: '1', 'd/same': '1', 'd/changed': '1', 'gone/x': '1' })
    const before = inPlaceIdentities(root)
    const result = await restore(sink, { same: '1', 'd/same': '1', 'd/changed': '2', 'new/n': '3' }, 20)
    expect(result).toMatchObject({ written: 2, removed: 1, published: true })
    expect(inPlaceFiles(root)).toEqual({ same: '1', 'd/same': '1', 'd/changed': '2', 'new/n': '3' })
    const after = inPlaceIdentities(root)
    expect([after.same, after['d/same']]).toEqual([before.same, before['d/same']])
    expect(existsSync(join(root, 'gone'))).toBe(false)
    await until(() => readdirSync(join(root, '.etcd-mirror', 'work')).length === 0)
    expect(lstatSync(join(root, 'same')).nlink).toBe(1)
  })

  test('publishes nothing when nothing differs, and remembers the position', async () => {
    const root = tempDirectory()
    const state = { a: '1', 'a/b': '2', 'x/y': '3' }
    const sink = await publishedSink(root, state)
    const before = inPlaceIdentities(root)
    expect(await restore(sink, state, 30)).toMatchObject({ written: 0, removed: 0, published: false })
    expect(inPlaceIdentities(root)).toEqual(before)
    await sink.close()
    const reopened = await fileSink(root, { layout: 'InPlace' }).open(options)
    expect(reopened).toMatchObject({ position: { revision: 30 }, published: { revision: 10, epoch: 0 } })
    expect(reopened.totals).toEqual({ keys: 3, bytes: 3 })
  })

  test('changes nothing that is seen when a page fails or the publish is not admitted', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1', 'b/c': '1' })
    const before = inPlaceIdentities(root)
    const failure = new Error('connection lost')
    async function* pages() {
      yield [keyValue('a', '2')]
      throw failure
    }
    const source = { pages: pages(), finish: () => Promise.reject(new Error('not reached')) }
    await expect(sink.restore(source, options)).rejects.toBe(failure)
    const admit = () => {
      throw failure
    }
    await expect(sink.restore(snapshot({}, position(11)), { ...options, admit })).rejects.toBe(failure)
    expect(inPlaceIdentities(root)).toEqual(before)
    await sink.close()
    expect((await fileSink(root, { layout: 'InPlace' }).open(options)).position?.revision).toBe(10)
  })

  test('repairs what somebody changed, added, removed or replaced, and never follows a link', async () => {
    const root = tempDirectory()
    const outside = tempDirectory()
    writeFileSync(join(outside, 'f'), 'x')
    const state = { a: '1', b: '1', c: '1', 'd/e': '1', 'l/f': '1', g: '1' }
    const sink = await publishedSink(root, state)
    const before = inPlaceIdentities(root)
    writeFileSync(join(root, 'a'), 'x')
    mkdirSync(join(root, 'added', 'empty'), { recursive: true })
    chmodSync(join(root, 'b'), 0o600)
    chmodSync(join(root, 'd'), 0o700)
    await apply(sink, { 'l/f': undefined, g: undefined }, 11)
    symlinkSync(outside, join(root, 'l'))
    symlinkSync(join(outside, 'f'), join(root, 'g'))
    expect(await restore(sink, state, 12)).toMatchObject({ published: true })
    expect(inPlaceFiles(root)).toEqual(state)
    expect(readdirSync(root).sort()).toEqual(['.etcd-mirror', 'a', 'b', 'c', 'd', 'g', 'l'])
    expect([statSync(join(root, 'b')).mode & 0o777, statSync(join(root, 'd')).mode & 0o777]).toEqual([0o644, 0o755])
    expect(lstatSync(join(root, 'l')).isDirectory() && lstatSync(join(root, 'g')).isFile()).toBe(true)
    expect(inPlaceIdentities(root).c).toBe(before.c)
    expect(readFileSync(join(outside, 'f'), 'utf8')).toBe('x')
    expect(await sink.verify(options)).toEqual({ sound: true })
  })

  test('leaves the mode of a root that was there before alone, and takes it for sound', async () => {
    const root = tempDirectory()
    chmodSync(root, 0o2777)
    const sink = await publishedSink(root, { a: '1' })
    expect(statSync(root).mode & 0o7777).toBe(0o2777)
    expect(await restore(sink, { a: '1' }, 11)).toMatchObject({ published: false })
  })
})

describe('in-place file sink, names that are not the keys to have', () => {
  test('keys never touch the directory of the mirror, nor lost+found of a volume', async () => {
    const root = tempDirectory()
    mkdirSync(join(root, 'lost+found', 'inode'), { recursive: true })
    const state = { '.etcd-mirror': '1', '.etcd-mirror/owner.json': '2', 'lost+found/x': '3', '%2Eetcd-mirror': '4' }
    const sink = await publishedSink(root, state)
    const owner = readFileSync(join(root, '.etcd-mirror', 'owner.json'), 'utf8')
    expect(inPlaceState(root)).toEqual(state)
    expect(Object.keys(inPlaceFiles(root)).sort()).toEqual([
      '%252Eetcd-mirror',
      '%2Eetcd-mirror/%leaf',
      '%2Eetcd-mirror/owner.json',
      '%6Cost+found/x',
    ])
    await apply(sink, { '.etcd-mirror/owner.json': undefined, 'lost+found/x': undefined }, 11)
    await restore(sink, {}, 12)
    expect(inPlaceFiles(root)).toEqual({})
    expect(readdirSync(join(root, 'lost+found'))).toEqual(['inode'])
    expect(readFileSync(join(root, '.etcd-mirror', 'owner.json'), 'utf8')).toBe(owner)
    expect(await sink.verify(options)).toEqual({ sound: true })
  })
})

describe('in-place file sink, apply', () => {
  test('replaces, adds and prunes single files, and leaves the others alone', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1', b: '1', 'deep/er/c': '1' })
    const before = inPlaceIdentities(root)
    const result = await apply(sink, { a: '2', 'deep/er/c': undefined, 'x/y': 'new' }, 11)
    expect(result).toMatchObject({ written: 2, removed: 1, published: true, totals: { keys: 3, bytes: 5 } })
    expect(inPlaceFiles(root)).toEqual({ a: '2', b: '1', 'x/y': 'new' })
    expect(inPlaceIdentities(root).b).toBe(before.b)
    expect(existsSync(join(root, 'deep'))).toBe(false)
    await sink.close()
    expect((await fileSink(root, { layout: 'InPlace' }).open(options)).position?.revision).toBe(11)
  })

  test('publishes nothing when every file is equal already, and remembers the position', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1' })
    expect(await apply(sink, { a: '1', absent: undefined }, 11)).toMatchObject({ written: 0, published: false })
    await sink.close()
    const again = fileSink(root, { layout: 'InPlace' })
    expect(await again.open(options)).toMatchObject({ position: { revision: 11 }, published: { revision: 10 } })
  })

  test('refuses to go back, or to begin where nothing complete was published', async () => {
    const root = tempDirectory()
    const sink = await opened(root)
    await expect(apply(sink, { a: '1' }, 5)).rejects.toMatchObject({ code: 'TargetBroken' })
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    await expect(apply(sink, { a: '2' }, 9)).rejects.toMatchObject({ code: 'TargetBroken' })
    expect(inPlaceFiles(root)).toEqual({ a: '1' })
  })

  test('keeps a directory that one batch empties and fills', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: 'leaf', 'a/b': '1', 'd/x/y': '1' })
    const inode = statSync(join(root, 'd', 'x')).ino
    await apply(sink, { 'a/b': undefined, 'd/x/y': undefined, 'a/c': '2', 'd/x/z': '2' }, 11)
    expect(inPlaceFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/c': '2', 'd/x/z': '2' })
    expect(statSync(join(root, 'd', 'x')).ino).toBe(inode)
  })

  test('moves the leaf into the directory while other keys are below it, and back', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: 'leaf' })
    const { a: leaf } = inPlaceIdentities(root)
    await apply(sink, { 'a/b/c': '1' }, 11)
    expect(inPlaceFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/b/c': '1' })
    await apply(sink, { 'a/b': '2' }, 12)
    await apply(sink, { 'a/b/c': undefined }, 13)
    expect(inPlaceFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/b': '2' })
    await apply(sink, { 'a/b': undefined }, 14)
    expect(inPlaceIdentities(root)).toEqual({ a: leaf })
    await restore(sink, { a: 'leaf', 'a/b': '1' }, 15)
    expect(inPlaceFiles(root)).toEqual({ 'a/%leaf': 'leaf', 'a/b': '1' })
    await restore(sink, { a: 'leaf' }, 16)
    expect(inPlaceFiles(root)).toEqual({ a: 'leaf' })
  })

  test('gives the same files for any order of batches and snapshots as a fresh restore of what is left', async () => {
    const key = fc
      .array(fc.constantFrom('a', 'b', '', '..', '%', 'x'.repeat(300), '\xff', '.etcd-mirror', 'lost+found'), {
        minLength: 1,
        maxLength: 4,
      })
      .map((segments) => segments.join('/'))
    const one = fc.record({ key, value: fc.option(fc.constantFrom('1', '2'), { nil: undefined }) })
    const batch = fc.record({
      isSnapshot: fc.boolean(),
      changes: fc.uniqueArray(one, { selector: (each) => each.key, minLength: 1, maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 10 }), async (batches) => {
        const [root, fresh] = [tempDirectory(), tempDirectory()]
        const sink = await publishedSink(root, {})
        const model: Record<string, string> = {}
        for (const [index, { isSnapshot, changes }] of batches.entries()) {
          const merged = Object.fromEntries(changes.map((each) => [each.key, each.value]))
          change(model, merged)
          await (isSnapshot ? restore(sink, model, 11 + index) : apply(sink, merged, 11 + index))
        }
        const freshSink = await publishedSink(fresh, model)
        expect(inPlaceFiles(root)).toEqual(inPlaceFiles(fresh))
        expect(inPlaceState(root)).toEqual(model)
        expect(await sink.verify(options)).toEqual({ sound: true })
        expect(await restore(sink, model, 60)).toMatchObject({ published: false })
        await Promise.all([sink.close(), freshSink.close()])
      }),
      { numRuns: 60 },
    )
  }, 30_000)
})

describe('in-place file sink, readers', () => {
  test('see each file old or new, with its mode, never an older one again', async () => {
    const root = tempDirectory()
    const seen = new Map<string, number>()
    const umask = process.umask(0o077)
    // A reader looks at every instant between two file calls.
    const files = interceptedFiles(() => {
      for (const [path, content] of Object.entries(inPlaceFiles(root))) {
        const key = path.replace('/%leaf', '')
        expect(content).toMatch(/^\d+!$/)
        expect(statSync(join(root, path)).mode & 0o777).toBe(0o664)
        expect(Number.parseInt(content, 10)).toBeGreaterThanOrEqual(seen.get(key) ?? 0)
        seen.set(key, Number.parseInt(content, 10))
      }
    })
    try {
      const sink = await opened(root, { files, mode: 0o664 })
      await restore(sink, { a: '10!', 'b/c': '10!', 'd/e/f': '10!' }, 10)
      for (let revision = 11; revision < 60; revision += 1) {
        const value = `${revision}!`
        const changes = { a: value, [`b/c${revision % 3 === 0 ? '' : '/x'}`]: value, [`x${revision % 5}`]: undefined }
        await apply(sink, { ...changes, [`x${(revision + 2) % 5}/y`]: value }, revision)
      }
      const state = { a: '60!', 'b/c': '60!', 'b/c/x/y': '60!', 'x1/y': '60!' }
      await restore(sink, state, 60)
      expect(inPlaceState(root)).toEqual(state)
    } finally {
      process.umask(umask)
    }
  })

  test('ready resolves at once, and again when a verification lets publishes go on', async () => {
    const root = tempDirectory()
    const sink = await publishedSink(root, { a: '1' })
    await sink.ready(options)
    await expect(sink.ready({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop')
  })

  test('verify takes no publish that goes on meanwhile for a change by somebody else', async () => {
    const root = tempDirectory()
    const state = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`k${index}`, '1']))
    const sink = await publishedSink(root, state)
    let isOver = false
    const verified = sink.verify(options).finally(() => {
      isOver = true
    })
    for (let revision = 11; !isOver; revision += 1) {
      await apply(sink, { [`k${(revision * 7) % 3000}`]: String(revision), k2999: String(revision) }, revision)
      // A mirror waits for etcd between two publishes; a loop without a turn would leave none to the verification.
      await nextTurn()
    }
    expect(await verified).toEqual({ sound: true })
    writeFileSync(join(root, 'k5'), '?')
    expect(await sink.verify(options)).toEqual({ sound: false })
  })
})
