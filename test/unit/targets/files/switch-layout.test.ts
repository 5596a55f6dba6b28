import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filesKilledAt } from './failing-files.ts'
import {
  apply,
  fileSink,
  inPlaceFiles,
  options,
  position,
  publishedFiles,
  publishedName,
  type State,
  snapshot,
  tempDirectory,
  until,
} from './support.ts'

const STATE: State = { a: '1', 'b/c': '1', current: '1', '.revisions/1': '1', '.etcd-mirror/x': '1' }
const NEXT: State = { a: '2', 'b/c': '1', current: '1', '.revisions/1': '1', '.etcd-mirror/x': '1' }
const PATHS = { a: '1', 'b/c': '1', current: '1', '.revisions/1': '1', '%2Eetcd-mirror/x': '1' }

/** A root that shows `state` at revision 10, in epoch 1, in a layout. */
async function rootIn(layout: 'Snapshot' | 'InPlace', state: State): Promise<string> {
  const root = tempDirectory()
  mkdirSync(join(root, 'lost+found'))
  const sink = fileSink(root, { layout, configHash: layout })
  await sink.open(options)
  await sink.restore(snapshot(state, position(10, { epoch: 1 })), options)
  await sink.close()
  return root
}

function entriesOf(root: string): string[] {
  return readdirSync(root).sort()
}

function layoutOfOwner(root: string): unknown {
  return JSON.parse(readFileSync(join(root, '.etcd-mirror', 'owner.json'), 'utf8')).layout
}

describe('file sink, a root whose layout was changed', () => {
  test('from Snapshot to InPlace: the link and the trees go once the files are visible', async () => {
    const root = await rootIn('Snapshot', STATE)
    const sink = fileSink(root, { layout: 'InPlace', configHash: 'InPlace' })
    const opened = await sink.open(options)
    expect(opened).toMatchObject({ position: undefined, published: { revision: 10, epoch: 1 }, isSameConfig: false })
    expect(publishedFiles(root)).toEqual(STATE)
    await expect(apply(sink, { a: '2' }, 11)).rejects.toMatchObject({ code: 'TargetBroken' })
    await sink.open(options)
    await expect(sink.restore(snapshot(STATE, position(9, { epoch: 1 })), options)).rejects.toMatchObject({
      code: 'TargetBroken',
    })
    await sink.open(options)
    expect(publishedFiles(root)).toEqual(STATE)
    await sink.restore(snapshot(STATE, position(11, { epoch: 1 })), options)
    expect(inPlaceFiles(root)).toEqual(PATHS)
    expect(entriesOf(root)).toEqual(['%2Eetcd-mirror', '.etcd-mirror', '.revisions', 'a', 'b', 'current', 'lost+found'])
    expect(await sink.verify(options)).toEqual({ sound: true })
    expect(layoutOfOwner(root)).toBe('InPlace')
  })

  test('from InPlace to Snapshot: the files go once the tree is visible, however often', async () => {
    const root = await rootIn('Snapshot', { a: '0' })
    for (const [layout, revision] of [
      ['InPlace', 11],
      ['Snapshot', 12],
      ['InPlace', 13],
      ['Snapshot', 14],
    ] as const) {
      const sink = fileSink(root, { layout, configHash: layout })
      const opened = await sink.open(options)
      expect(opened).toMatchObject({ position: undefined, published: { revision: revision - 1, epoch: 1 } })
      await sink.restore(snapshot({ a: String(revision), 'b/c': '1' }, position(revision, { epoch: 1 })), options)
      if (layout === 'Snapshot') {
        expect(publishedFiles(root)).toEqual({ a: String(revision), 'b/c': '1' })
        await until(() => layoutOfOwner(root) === 'Snapshot')
        expect(entriesOf(root)).toEqual(['.etcd-mirror', '.revisions', 'current', 'lost+found'])
        expect(publishedName(root)).toBe(String(revision))
      } else {
        expect(entriesOf(root)).toEqual(['.etcd-mirror', 'a', 'b', 'lost+found'])
      }
      await sink.close()
    }
  })

  test('names of trees do not come again below one root, whatever layout it had in between', async () => {
    const root = await rootIn('Snapshot', { a: '0' })
    for (const [layout, name] of [
      ['InPlace', undefined],
      ['Snapshot', '10-1'],
      ['InPlace', undefined],
      ['Snapshot', '10-2'],
    ] as const) {
      const sink = fileSink(root, { layout, configHash: layout })
      await sink.open(options)
      await sink.restore(snapshot({ a: layout }, position(10, { epoch: 1 })), options)
      if (name !== undefined) expect(publishedName(root)).toBe(name)
      await sink.close()
    }
  })

  test('from InPlace to Snapshot: keys that stand where the layout has its own names make way', async () => {
    const root = await rootIn('InPlace', STATE)
    const sink = fileSink(root, { configHash: 'Snapshot' })
    expect(await sink.open(options)).toMatchObject({ position: undefined, published: { revision: 10, epoch: 1 } })
    expect(inPlaceFiles(root).a).toBe('1')
    await sink.restore(snapshot(NEXT, position(11, { epoch: 1 })), options)
    expect(publishedFiles(root)).toEqual(NEXT)
    await until(() => layoutOfOwner(root) === 'Snapshot')
    expect(entriesOf(root)).toEqual(['.etcd-mirror', '.revisions', 'current', 'lost+found'])
    expect(await apply(sink, { a: '3' }, 12).catch((error: unknown) => error)).toMatchObject({ code: 'TargetBroken' })
  })

  test('back before the new layout was published: the old one resumes, and what was moved already goes', async () => {
    const root = await rootIn('Snapshot', { a: '1', b: '1' })
    // The first publish in place: killed when the first of the files is there.
    for (let kill = 1; !existsSync(join(root, 'a')) && !existsSync(join(root, 'b')); kill += 1) {
      const torn = fileSink(root, { layout: 'InPlace', files: filesKilledAt(kill, false).files })
      await torn
        .open(options)
        .then(
          () => torn.restore(snapshot({ a: '2', b: '2' }, position(11, { epoch: 1 })), options),
          () => undefined,
        )
        .catch(() => undefined)
      await torn.close()
      expect(publishedFiles(root)).toEqual({ a: '1', b: '1' })
    }
    const sink = fileSink(root, { configHash: 'Snapshot' })
    expect(await sink.open(options)).toMatchObject({
      position: { revision: 10 },
      published: { revision: 10, epoch: 1 },
    })
    await until(() => layoutOfOwner(root) === 'Snapshot')
    expect(entriesOf(root)).toEqual(['.etcd-mirror', '.revisions', 'current', 'lost+found'])
    expect(publishedFiles(root)).toEqual({ a: '1', b: '1' })
  })

  test('from InPlace to Snapshot and back before anything was published: the files are mended', async () => {
    const root = await rootIn('InPlace', STATE)
    const snapshotSink = fileSink(root, { configHash: 'Snapshot' })
    await snapshotSink.open(options)
    await snapshotSink.close()
    const sink = fileSink(root, { layout: 'InPlace', configHash: 'InPlace' })
    expect(await sink.open(options)).toMatchObject({ position: undefined, published: { revision: 10, epoch: 1 } })
    expect(await sink.restore(snapshot(STATE, position(10, { epoch: 1 })), options)).toMatchObject({ written: 2 })
    expect(inPlaceFiles(root)).toEqual(PATHS)
  })

  test('an owner of a layout that this version does not know is not taken over', async () => {
    const root = await rootIn('InPlace', { a: '1' })
    const path = join(root, '.etcd-mirror', 'owner.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('InPlace', 'Mosaic'))
    await expect(fileSink(root).open(options)).rejects.toMatchObject({ code: 'TargetForeign' })
    expect(inPlaceFiles(root)).toEqual({ a: '1' })
  })
})
