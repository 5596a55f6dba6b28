import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileError, filesKilledAt, interceptedFiles } from './failing-files.ts'
import {
  apply,
  fileSink,
  identities,
  options,
  position,
  publishedFiles,
  publishedName,
  publishedState,
  restore,
  type State,
  tempDirectory,
  until,
} from './support.ts'

describe('file sink, failed file calls', () => {
  test.each([
    ['ENOSPC', 'TargetFull'],
    ['EDQUOT', 'TargetFull'],
    ['EACCES', 'TargetNotWritable'],
    ['EPERM', 'TargetNotWritable'],
    ['EROFS', 'TargetNotWritable'],
    ['ENOTDIR', 'TargetBroken'],
    ['EISDIR', 'TargetBroken'],
    ['ELOOP', 'TargetBroken'],
    ['EIO', 'TargetBroken'],
  ])(
    '%s is %s at any call of a batch or a snapshot; the old tree stays and the next call works',
    async (code, expected) => {
      for (let failing = 1; ; failing += 1) {
        const root = tempDirectory()
        let calls = Number.NEGATIVE_INFINITY
        const files = interceptedFiles((method) => {
          calls += 1
          if (calls === failing && method !== 'rmdir') throw fileError(code)
        })
        const sink = fileSink(root, { files })
        await sink.open(options)
        await restore(sink, { a: '1', b: '1', 'c/d': '1' }, 10)
        calls = 0
        const write =
          failing % 2 === 0
            ? apply(sink, { a: '2', 'c/d': undefined, 'e/f': '1' }, 11)
            : restore(sink, { a: '2', b: '1', 'e/f': '1' }, 11)
        const outcome = await write.then(
          () => undefined,
          (error: unknown) => error,
        )
        if (outcome !== undefined) {
          expect(outcome).toMatchObject({ code: expected, target: root, retryable: true })
          expect(publishedFiles(root)).toEqual({ a: '1', b: '1', 'c/d': '1' })
        }
        const wasReached = calls >= failing
        calls = Number.NEGATIVE_INFINITY
        await apply(sink, { a: '2', 'c/d': undefined, 'e/f': '1' }, 12)
        expect(publishedFiles(root)).toEqual({ a: '2', b: '1', 'e/f': '1' })
        await sink.close()
        if (!wasReached) break
        expect(failing).toBeLessThan(100)
      }
    },
  )

  test('a tree that could not be finished is removed', async () => {
    const root = tempDirectory()
    let isFull = false
    const files = interceptedFiles((method, [path]) => {
      if (isFull && method === 'create' && String(path).endsWith('/new')) throw fileError('ENOSPC')
    })
    const sink = fileSink(root, { files })
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    const work = join(root, '.etcd-mirror', 'work')
    await until(() => readdirSync(work).length === 1)
    isFull = true
    await expect(apply(sink, { new: '1' }, 11)).rejects.toMatchObject({ code: 'TargetFull' })
    await until(() => readdirSync(work).length === 0)
    isFull = false
    await apply(sink, { new: '1' }, 11)
    expect(publishedFiles(root)).toEqual({ a: '1', new: '1' })
  })

  test('a root that vanished is TargetBroken, and a snapshot makes everything anew', async () => {
    const root = join(tempDirectory(), 'root')
    const sink = fileSink(root)
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    rmSync(root, { recursive: true })
    await expect(apply(sink, { a: '2' }, 11)).rejects.toMatchObject({ code: 'TargetBroken' })
    await expect(apply(sink, { a: '2' }, 11)).rejects.toMatchObject({ code: 'TargetBroken' })
    await restore(sink, { a: '2' }, 11)
    expect(publishedFiles(root)).toEqual({ a: '2' })
    rmSync(root, { recursive: true })
    await expect(restore(sink, { a: '3' }, 12)).rejects.toMatchObject({ code: 'TargetBroken' })
    expect(await sink.open(options)).toMatchObject({ position: undefined, published: undefined })
    await restore(sink, { a: '3' }, 12)
    await apply(sink, { b: '3' }, 13)
    expect(publishedFiles(root)).toEqual({ a: '3', b: '3' })
  })

  test('something in the way of the next tree or of "current" is TargetBroken and heals once it is gone', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    mkdirSync(join(root, '.revisions', '11', 'x'), { recursive: true })
    await expect(apply(sink, { a: '2' }, 11)).rejects.toMatchObject({ code: 'TargetBroken' })
    expect(publishedFiles(root)).toEqual({ a: '1' })
    await apply(sink, { a: '2' }, 11)
    expect(publishedFiles(root)).toEqual({ a: '2' })
    rmSync(join(root, 'current'))
    mkdirSync(join(root, 'current'))
    await expect(apply(sink, { a: '3' }, 12)).rejects.toMatchObject({ code: 'TargetBroken' })
    rmSync(join(root, 'current'), { recursive: true })
    await sink.open(options)
    await restore(sink, { a: '3' }, 12)
    expect(publishedFiles(root)).toEqual({ a: '3' })
  })
})

describe('file sink, killed at any file call', () => {
  const states: Readonly<Record<number, State>> = {
    10: { a: '1', 'd/x': '1', same: 's' },
    11: { a: '1', 'a/b': '2', 'd/x': '1', same: 's' },
    12: { a: '1', 'a/b': '2', 'd/x': '1', same: 's' },
    13: { 'a/b': '3', same: 's' },
    14: { n: '1', 'a/b': '3', same: 's' },
    15: { n: '1', 'a/b': '3', same: 's' },
    16: { n: '2', same: 's' },
  }

  async function history(sink: ReturnType<typeof fileSink>): Promise<void> {
    await sink.open(options)
    await restore(sink, states[10] ?? {}, 10)
    await apply(sink, { 'a/b': '2' }, 11)
    await sink.advance(position(12), options)
    await apply(sink, { a: undefined, 'd/x': undefined, 'a/b': '3' }, 13)
    await restore(sink, states[14] ?? {}, 14)
    await restore(sink, states[15] ?? {}, 15)
    await apply(sink, { 'a/b': undefined, n: '2' }, 16)
  }

  test.each([false, true])(
    'shows one whole revision that the position names, and goes on (half written: %s)',
    async (isHalfWritten) => {
      for (let kill = 1; ; kill += 1) {
        const root = tempDirectory()
        const { files, calls } = filesKilledAt(kill, isHalfWritten)
        const sink = fileSink(root, { files })
        const isOver = await history(sink).then(
          () => calls() < kill,
          () => false,
        )
        await sink.close()
        const survivor = fileSink(root)
        const { position: at, published } = await survivor.open(options)
        if (published === undefined) {
          expect(at).toBeUndefined()
          expect(readdirSync(root)).not.toContain('current')
        } else {
          expect(publishedState(root)).toEqual(states[at?.revision ?? -1])
          expect(publishedName(root)).toBe(String(published.revision))
          const before = identities(root)
          await restore(survivor, publishedState(root), 20)
          expect(identities(root)).toEqual(before)
          await apply(survivor, { extra: '1' }, 21)
          expect(identities(root).same).toBe(before.same)
        }
        await restore(survivor, states[16] ?? {}, 22)
        expect(publishedState(root)).toEqual(states[16])
        await survivor.close()
        if (isOver) break
        expect(kill).toBeLessThan(500)
      }
    },
  )

  test('leaves nothing behind: what a killed process left is removed', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    await sink.close()
    mkdirSync(join(root, '.etcd-mirror', 'work', 'half', 'made'), { recursive: true })
    writeFileSync(join(root, '.etcd-mirror', 'work', 'half', 'made', 'file'), 'x')
    writeFileSync(join(root, '.etcd-mirror', 'trees', '99.json.next'), '{')
    writeFileSync(join(root, '.etcd-mirror', 'trees', '99.json'), '{}')
    mkdirSync(join(root, '.revisions', '99'))
    const again = fileSink(root)
    await again.open(options)
    for (let revision = 11; revision < 14; revision += 1) await apply(again, { a: String(revision) }, revision)
    await again.close()
    expect(readdirSync(join(root, '.etcd-mirror', 'trees'))).toEqual(['13.json'])
    expect(readdirSync(join(root, '.revisions'))).toEqual(['12', '13'])
    const last = fileSink(root)
    await last.open(options)
    await last.close()
    expect(readdirSync(join(root, '.revisions'))).toContain('13')
  })
})
