import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Sink } from '../../../../src/mirror/sink.ts'
import { IN_PLACE_STEPS, type PublishStep } from '../../../../src/targets/files/publish-step.ts'
import { fileError, filesKilledAt, interceptedFiles } from './failing-files.ts'
import {
  apply,
  fileSink,
  inPlaceFiles,
  inPlaceIdentities,
  inPlaceState,
  options,
  position,
  restore,
  type State,
  tempDirectory,
  until,
} from './support.ts'

const inPlace = { layout: 'InPlace' } as const
const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))

describe('in-place file sink, failed file calls', () => {
  test.each([
    ['ENOSPC', 'TargetFull'],
    ['EACCES', 'TargetNotWritable'],
    ['EROFS', 'TargetNotWritable'],
  ])('%s is %s at any call of a batch; the same batch, merged, brings it to its end', async (code, expected) => {
    for (let failing = 1; ; failing += 1) {
      const root = tempDirectory()
      let calls = Number.NEGATIVE_INFINITY
      const files = interceptedFiles((method) => {
        calls += 1
        if (calls === failing && method !== 'rmdir') throw fileError(code)
      })
      const sink = fileSink(root, { files, ...inPlace })
      await sink.open(options)
      await restore(sink, { a: '1', b: '1', 'c/d': '1', 'e/f': '1', same: 's' }, 10)
      const { same } = inPlaceIdentities(root)
      calls = 0
      const batch = { a: '2', 'c/d': undefined, 'e/f': '222', 'g/h': '1' }
      const outcome = await apply(sink, batch, 11).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (outcome !== undefined) expect(outcome).toMatchObject({ code: expected, target: root, retryable: true })
      const wasReached = calls >= failing
      calls = Number.NEGATIVE_INFINITY
      const result = await apply(sink, { ...batch, b: '2' }, 12)
      expect(result).toMatchObject({ published: true, totals: { keys: 5, bytes: 7 } })
      expect(inPlaceFiles(root)).toEqual({ a: '2', b: '2', 'e/f': '222', 'g/h': '1', same: 's' })
      expect(inPlaceIdentities(root).same).toBe(same)
      expect(await sink.verify(options)).toEqual({ sound: true })
      await sink.close()
      const again = fileSink(root, inPlace)
      expect(await again.open(options)).toMatchObject({ position: { revision: 12 }, published: { revision: 12 } })
      await again.close()
      if (!wasReached) break
      expect(failing).toBeLessThan(100)
    }
  })

  test('a publish that fails as its last state is written is published by the next try, though nothing differs', async () => {
    const root = tempDirectory()
    let fails = 0
    let isStateDue = false
    const files = interceptedFiles((method, [path]) => {
      if (!isStateDue || method !== 'create' || !String(path).endsWith('.json.next')) return
      isStateDue = false
      fails += 1
      if (fails % 2 === 1) throw fileError('ENOSPC')
    })
    const onStep = (step: PublishStep) => {
      isStateDue = step === 'write-state'
    }
    const sink = fileSink(root, { files, onStep, ...inPlace })
    await sink.open(options)
    await expect(restore(sink, { a: '1' }, 10)).rejects.toMatchObject({ code: 'TargetFull' })
    expect(await sink.open(options)).toMatchObject({ position: undefined, published: undefined })
    await restore(sink, { a: '1' }, 10)
    await expect(apply(sink, { a: '2' }, 11)).rejects.toMatchObject({ code: 'TargetFull' })
    expect(await apply(sink, { a: '2' }, 11)).toMatchObject({ written: 0, published: true })
    expect(fails).toBe(4)
  })

  test('a snapshot that fails while files are moved leaves an unknown position, and the next one mends it', async () => {
    for (let failing = 1; ; failing += 1) {
      const root = tempDirectory()
      let renames = Number.NEGATIVE_INFINITY
      const files = interceptedFiles((method, [, to]) => {
        if (method !== 'rename' || String(to).includes('.etcd-mirror')) return
        renames += 1
        if (renames === failing) throw fileError('ENOSPC', 'rename')
      })
      const sink = fileSink(root, { files, ...inPlace })
      await sink.open(options)
      await restore(sink, { a: '1', b: '1', 'c/d': '1', same: 's' }, 10)
      renames = 0
      const next = { a: '2', b: '2', 'c/d': '2', same: 's' }
      if (failing > 4) {
        await restore(sink, next, 11)
        break
      }
      await expect(restore(sink, next, 11)).rejects.toMatchObject({ code: 'TargetFull' })
      renames = Number.NEGATIVE_INFINITY
      const before = inPlaceIdentities(root)
      expect(await sink.open(options)).toMatchObject({ position: undefined, published: { revision: 11 } })
      const left = Object.entries(inPlaceFiles(root)).filter(([, value]) => value === '1')
      expect(await restore(sink, next, 11)).toMatchObject({ written: left.length, published: true })
      expect(inPlaceFiles(root)).toEqual(next)
      expect(inPlaceIdentities(root).same).toBe(before.same)
      await sink.close()
    }
  })
})

describe('in-place file sink, killed at any file call', () => {
  const states: Readonly<Record<number, State>> = {
    10: { a: '10', 'd/x': '10', same: '10' },
    11: { a: '10', 'a/b': '11', 'd/x': '10', same: '10' },
    12: { a: '10', 'a/b': '11', 'd/x': '10', same: '10' },
    13: { 'a/b': '13', same: '10' },
    14: { n: '14', 'a/b': '13', same: '10' },
    15: { n: '14', 'a/b': '13', same: '10' },
    16: { n: '16', same: '10' },
  }

  async function history(sink: Sink): Promise<void> {
    await sink.open(options)
    await restore(sink, states[10] ?? {}, 10)
    await apply(sink, { 'a/b': '11' }, 11)
    await sink.advance(position(12), options)
    await apply(sink, { a: undefined, 'd/x': undefined, 'a/b': '13' }, 13)
    await restore(sink, states[14] ?? {}, 14)
    await restore(sink, states[15] ?? {}, 15)
    await apply(sink, { 'a/b': undefined, n: '16' }, 16)
  }

  async function expectToGoOn(root: string): Promise<void> {
    const survivor = fileSink(root, inPlace)
    const { position: at, published } = await survivor.open(options)
    const before = inPlaceState(root)
    if (at !== undefined) expect([published, before]).toEqual([expect.anything(), states[at.revision]])
    for (const value of Object.values(before)) expect(value).toMatch(/^\d\d$/)
    const identities = keyIdentities(root)
    await restore(survivor, before, 20)
    expect(keyIdentities(root)).toEqual(identities)
    await restore(survivor, states[16] ?? {}, 22)
    expect(inPlaceState(root)).toEqual(states[16])
    if (identities.has('same')) expect(keyIdentities(root).get('same')).toBe(identities.get('same'))
    await apply(survivor, { extra: '23' }, 23)
    expect(await survivor.verify(options)).toEqual({ sound: true })
    await until(() => readdirSync(join(root, '.etcd-mirror', 'work')).length === 0)
    await survivor.close()
  }

  /** By key: a file that is moved keeps its identity. */
  function keyIdentities(root: string): Map<string, string> {
    const entries = Object.entries(inPlaceIdentities(root))
    return new Map(entries.map(([path, identity]) => [path.replace('/%leaf', ''), identity]))
  }

  test.each([false, true])(
    'knows its position only where the files are those of that revision, and goes on (half written: %s)',
    async (isHalfWritten) => {
      for (let kill = 1; ; kill += 1) {
        const root = tempDirectory()
        const { files, calls } = filesKilledAt(kill, isHalfWritten)
        const sink = fileSink(root, { files, ...inPlace })
        const isOver = await history(sink).then(
          () => calls() < kill,
          () => false,
        )
        await sink.close()
        await expectToGoOn(root)
        if (isOver) break
        expect(kill).toBeLessThan(500)
      }
    },
    30_000,
  )

  test('leaves nothing behind: what a killed process left is removed', async () => {
    const root = tempDirectory()
    const sink = fileSink(root, inPlace)
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    await sink.close()
    const work = join(root, '.etcd-mirror', 'work')
    mkdirSync(join(work, 'half', 'made'), { recursive: true })
    writeFileSync(join(work, '%next'), 'x')
    mkdirSync(join(work, '%aside'))
    writeFileSync(join(root, '.etcd-mirror', 'trees', 'in-place.json.next'), '{')
    const again = fileSink(root, inPlace)
    expect((await again.open(options)).position?.revision).toBe(10)
    await apply(again, { a: '2', 'a/b': '2' }, 11)
    await until(() => readdirSync(work).length === 0)
    expect(readdirSync(join(root, '.etcd-mirror', 'trees'))).toEqual(['in-place.json'])
    expect(inPlaceFiles(root)).toEqual({ 'a/%leaf': '2', 'a/b': '2' })
  })
})

describe('in-place file sink, process killed before a step of a publish', { timeout: 30_000 }, () => {
  const NOT_REACHED: Readonly<Record<string, readonly PublishStep[]>> = {
    apply: ['stage', 'move-files', 'remember-position'],
    restore: ['replace-files', 'remember-position'],
  }
  const cases = Object.entries(NOT_REACHED).flatMap(([write, notReached]) =>
    IN_PLACE_STEPS.filter((step) => !notReached.includes(step)).map((step) => ({ write, step })),
  )

  test.each([...cases, { write: 'advance', step: 'remember-position' as const }])(
    '$write, $step: no position between two revisions, nothing written twice',
    async ({ write, step }) => {
      const root = tempDirectory()
      const first = fileSink(root, inPlace)
      await first.open(options)
      await restore(first, { a: '1', same: 's' }, 10)
      await first.close()
      const { same } = inPlaceIdentities(root)

      const child = spawn(process.execPath, [CHILD, root, step, write, 'InPlace'], { stdio: 'inherit' })
      const [, signal] = await once(child, 'exit')
      expect(signal).toBe('SIGKILL')

      const isChanged = step === 'write-state'
      const isTorn = isChanged || step === 'move-files' || step === 'replace-files'
      expect(inPlaceFiles(root)).toEqual({ a: isChanged ? '2' : '1', same: 's' })
      const sink = fileSink(root, inPlace)
      const { position: at, published } = await sink.open(options)
      expect(at?.revision).toBe(isTorn ? undefined : 10)
      expect(published?.revision).toBe(isTorn ? 11 : 10)
      expect(await restore(sink, { a: '2', same: 's' }, 12)).toMatchObject({ written: isChanged ? 0 : 1 })
      expect(inPlaceFiles(root)).toEqual({ a: '2', same: 's' })
      expect(inPlaceIdentities(root).same).toBe(same)
    },
  )
})
