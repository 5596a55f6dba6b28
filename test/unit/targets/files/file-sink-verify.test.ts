import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Difference, Sink, WriteResult } from '../../../../src/mirror/sink.ts'
import { systemClock } from '../../../../src/util/clock.ts'
import {
  apply,
  fileSink,
  identities,
  neverAborted,
  options,
  position,
  publishedFiles,
  publishedName,
  publishedTree,
  restore,
  type State,
  snapshot,
  tempDirectory,
} from './support.ts'

const STATE: State = { a: '1', 'd/b': '2', 'd/c': '3', both: '4', 'both/in': '5', 'deep/er/x': '6' }

interface Drifted {
  readonly name: string
  readonly tamper: (tree: string, root: string) => void
  readonly found: readonly string[]
  /** Files that had to be written anew. */
  readonly rewritten?: readonly string[]
}

const DRIFT: readonly Drifted[] = [
  {
    name: 'a file edited in place',
    tamper: (tree) => appendFileSync(join(tree, 'a'), 'x'),
    found: ['a changed'],
    rewritten: ['a'],
  },
  {
    name: 'a file edited to the same size and time',
    tamper: (tree) => {
      writeFileSync(join(tree, 'd/b'), '9')
      utimesSync(join(tree, 'd/b'), 1, 1)
    },
    found: ['d/b changed'],
    rewritten: ['d/b'],
  },
  {
    name: 'a file replaced, as editors do',
    tamper: (tree) => {
      writeFileSync(join(tree, 'd/.c.swp'), 'other')
      renameSync(join(tree, 'd/.c.swp'), join(tree, 'd/c'))
    },
    found: ['d/c changed'],
    rewritten: ['d/c'],
  },
  { name: 'a file deleted', tamper: (tree) => unlinkSync(join(tree, 'a')), found: ['a missing'], rewritten: ['a'] },
  {
    name: 'a directory deleted',
    tamper: (tree) => rmSync(join(tree, 'deep'), { recursive: true }),
    found: ['deep/er/x missing'],
    rewritten: ['deep/er/x'],
  },
  { name: 'a file added', tamper: (tree) => writeFileSync(join(tree, 'd/new'), 'x'), found: ['d/new added'] },
  { name: 'an empty directory added', tamper: (tree) => mkdirSync(join(tree, 'd/empty')), found: ['d/empty added'] },
  {
    name: 'a directory with a file added',
    tamper: (tree) => {
      mkdirSync(join(tree, 'n/m'), { recursive: true })
      writeFileSync(join(tree, 'n/m/o'), '')
    },
    found: ['n/m/o added'],
  },
  { name: 'a link added', tamper: (tree) => symlinkSync('a', join(tree, 'link')), found: ['link added'] },
  { name: 'a hard link added', tamper: (tree) => linkSync(join(tree, 'a'), join(tree, 'z')), found: ['z added'] },
  { name: 'a file chmod-ed', tamper: (tree) => chmodSync(join(tree, 'a'), 0o600), found: ['a mode'], rewritten: ['a'] },
  { name: 'a directory chmod-ed', tamper: (tree) => chmodSync(join(tree, 'd'), 0o700), found: ['d mode'] },
  {
    name: 'a file replaced by a symbolic link to the same content',
    tamper: (tree) => {
      renameSync(join(tree, 'a'), join(tree, '../hidden'))
      symlinkSync('../hidden', join(tree, 'a'))
    },
    found: ['a type'],
    rewritten: ['a'],
  },
  {
    name: 'a directory replaced by a symbolic link to the same content',
    tamper: (tree) => {
      renameSync(join(tree, 'd'), join(tree, '../hidden'))
      symlinkSync('../hidden', join(tree, 'd'))
    },
    found: ['d type', 'd/b missing', 'd/c missing'],
    rewritten: ['d/b', 'd/c'],
  },
  {
    name: 'a file replaced by a directory',
    tamper: (tree) => {
      unlinkSync(join(tree, 'a'))
      mkdirSync(join(tree, 'a'))
    },
    found: ['a missing'],
    rewritten: ['a'],
  },
  {
    name: 'two files swapped',
    tamper: (tree) => {
      renameSync(join(tree, 'a'), join(tree, 't'))
      renameSync(join(tree, 'd/b'), join(tree, 'a'))
      renameSync(join(tree, 't'), join(tree, 'd/b'))
    },
    found: ['a changed', 'd/b changed'],
    rewritten: ['a', 'd/b'],
  },
  {
    name: 'a leaf moved to where it would stand alone',
    tamper: (tree) => {
      mkdirSync(join(tree, 'alone'))
      renameSync(join(tree, 'a'), join(tree, 'alone/%leaf'))
    },
    found: ['a missing', 'alone/%leaf added'],
    rewritten: ['a'],
  },
  {
    name: 'a file in a directory of its own',
    tamper: (tree) => {
      renameSync(join(tree, 'a'), join(tree, 't'))
      mkdirSync(join(tree, 'a'))
      renameSync(join(tree, 't'), join(tree, 'a/%leaf'))
    },
    found: ['a/%leaf added'],
  },
  {
    name: 'the whole tree deleted',
    tamper: (tree) => rmSync(tree, { recursive: true }),
    found: Object.keys(STATE).map((path) => `${path} missing`),
    rewritten: ['a', 'both/%leaf', 'both/in', 'd/b', 'd/c', 'deep/er/x'],
  },
  {
    name: '"current" led elsewhere',
    tamper: (_tree, root) => {
      mkdirSync(join(root, 'mine'))
      unlinkSync(join(root, 'current'))
      symlinkSync('mine', join(root, 'current'))
    },
    found: ['current type'],
  },
  {
    name: '"current" deleted',
    tamper: (_tree, root) => unlinkSync(join(root, 'current')),
    found: ['current type'],
  },
]

describe('file sink, verify', () => {
  test('finds nothing in what was restored, applied, advanced and opened again', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await restore(sink, STATE, 10)
    expect(await isSound(sink)).toBe(true)
    await apply(sink, { a: 'new', 'both/in': undefined, 'd/b': undefined, 'new/one': 'x'.repeat(70_000) }, 11)
    expect(await isSound(sink)).toBe(true)
    await sink.advance(position(15), options)
    expect(await isSound(sink)).toBe(true)
    await sink.close()
    const again = fileSink(root)
    await again.open(options)
    expect(await isSound(again)).toBe(true)
  })

  test.each(DRIFT)('finds $name; a snapshot names and repairs it in one publish', async (drift) => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await restore(sink, STATE, 10)
    await apply(sink, { a: 'newer' }, 11)
    const before = identities(root)
    const tree = publishedTree(root)
    drift.tamper(tree, root)
    expect(await isSound(sink)).toBe(false)

    const { result, found } = await compare(sink, { ...STATE, a: 'newer' }, 11)
    expect(found).toEqual([...drift.found].sort())
    expect(result).toMatchObject({ published: true, written: drift.rewritten?.length ?? 0 })
    expect(publishedName(root)).toBe('11-1')
    expect(readlinkSync(join(root, 'current'))).toBe('.revisions/11-1')
    expect(await isSound(sink)).toBe(true)
    const after = identities(root)
    expect(Object.keys(after)).toEqual(Object.keys(before))
    const same = Object.keys(before).filter((path) => before[path] === after[path])
    const kept = Object.keys(before).filter((path) => !(drift.rewritten ?? []).includes(path))
    expect(same).toEqual(expect.arrayContaining(kept))
    expect(await compare(sink, { ...STATE, a: 'newer' }, 12)).toMatchObject({ found: [], result: { published: false } })
  })

  test('a snapshot does not touch the visible tree: a reader of it goes on', async () => {
    const root = tempDirectory()
    const sink = fileSink(root, { readerGraceMs: 60_000 })
    await restore(sink, STATE, 10)
    const tree = publishedTree(root)
    appendFileSync(join(tree, 'a'), 'x')
    await compare(sink, STATE, 10)
    expect(readdirSync(tree).sort()).toEqual(['a', 'both', 'd', 'deep'])
    expect(publishedFiles(root).a).toBe('1')
  })

  test('what was changed in one tree does not come back with any later publish', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await restore(sink, STATE, 10)
    await apply(sink, { 'd/b': '20' }, 11)
    await apply(sink, { 'd/b': '21' }, 12)
    appendFileSync(join(publishedTree(root), 'a'), ' edited in place: every tree has it')
    await compare(sink, { ...STATE, 'd/b': '21' }, 12)
    for (let revision = 13; revision < 25; revision++) {
      await apply(sink, { 'd/b': String(revision) }, revision)
      expect(publishedFiles(root).a).toBe('1')
      expect(await isSound(sink)).toBe(true)
    }
  })

  test.each([
    ['edited by replacing it', (tree: string) => replaceFile(join(tree, 'a'))],
    ['deleted', (tree: string) => unlinkSync(join(tree, 'a'))],
    ['added', (tree: string) => writeFileSync(join(tree, 'n'), 'x')],
  ])(
    'a file %s in a tree that publishes have passed over does not come back after a verification',
    async (_, tamper) => {
      const root = tempDirectory()
      const sink = fileSink(root)
      await restore(sink, STATE, 10)
      await apply(sink, { 'd/b': '20' }, 11)
      tamper(publishedTree(root))
      await apply(sink, { 'd/b': '21' }, 12)
      const right = { ...publishedFiles(root) }
      expect(right).toMatchObject({ a: '1' })
      expect(await isSound(sink)).toBe(true)
      for (let revision = 13; revision < 20; revision++) {
        await apply(sink, { 'd/b': String(revision) }, revision)
        expect(publishedFiles(root)).toEqual({ ...right, 'd/b': String(revision) })
        expect(await isSound(sink)).toBe(true)
      }
    },
  )

  test('nor after a snapshot that finds everything equal', async () => {
    const root = tempDirectory()
    let now = 0
    const sink = fileSink(root, { readerGraceMs: 1000, clock: { ...systemClock, monotonic: () => now } })
    await restore(sink, STATE, 10)
    await apply(sink, { 'd/b': '20' }, 11)
    // The tree of the next publish is made before somebody changes this one.
    await sink.ready(options)
    replaceFile(join(publishedTree(root), 'a'))
    await apply(sink, { 'd/b': '21' }, 12)
    now += 1000
    expect(await compare(sink, { ...STATE, 'd/b': '21' }, 12)).toMatchObject({ result: { published: false } })
    // No grace is over meanwhile: each takes another tree.
    for (let revision = 13; revision < 16; revision++) {
      await apply(sink, { 'd/b': String(revision) }, revision)
      expect(publishedFiles(root).a).toBe('1')
    }
  })

  test('a publish over a changed file is found all the same, and a snapshot makes the sum right again', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await restore(sink, STATE, 10)
    for (const [index, tamper] of [
      (tree: string) => appendFileSync(join(tree, 'a'), 'x'),
      (tree: string) => unlinkSync(join(tree, 'a')),
      (tree: string) => {
        unlinkSync(join(tree, 'a'))
        symlinkSync('d/b', join(tree, 'a'))
      },
    ].entries()) {
      const value = `over ${index}`
      tamper(publishedTree(root))
      await apply(sink, { a: value }, 20 + index)
      expect(publishedFiles(root).a).toBe(value)
      expect(await isSound(sink)).toBe(false)
      await compare(sink, { ...STATE, a: value }, 20 + index)
      expect(await isSound(sink)).toBe(true)
    }
  })

  test('a file that was changed to what is published next is found, and right after a snapshot', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await restore(sink, STATE, 10)
    writeFileSync(join(publishedTree(root), 'a'), 'next')
    expect(await apply(sink, { a: 'next' }, 11)).toMatchObject({ published: false })
    expect(await isSound(sink)).toBe(false)
    expect(await compare(sink, { ...STATE, a: 'next' }, 11)).toMatchObject({ found: [], result: { published: false } })
    expect(await isSound(sink)).toBe(true)
  })

  test('goes on beside publishes, and is about a state that was visible', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    const many = Object.fromEntries(Array.from({ length: 4000 }, (_, index) => [`k${index % 50}/${index}`, 'value']))
    await restore(sink, many, 10)
    let ended = false
    const verdict = isSound(sink).finally(() => {
      ended = true
    })
    let revision = 10
    while (!ended) {
      revision += 1
      await apply(sink, { [`k1/${revision}`]: 'x', [`k${revision % 50}/${revision % 50}`]: String(revision) }, revision)
      await nextTurn()
    }
    expect(await verdict).toBe(true)
    expect(revision).toBeGreaterThan(12)
    expect(await isSound(sink)).toBe(true)
  })

  test('ends with the abort reason', async () => {
    const sink = fileSink(tempDirectory())
    await restore(sink, STATE, 10)
    await expect(sink.verify({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })

  test('needs a published tree to be sound', async () => {
    const sink = fileSink(tempDirectory())
    await sink.open(options)
    expect(await isSound(sink)).toBe(false)
  })
})

function replaceFile(path: string): void {
  writeFileSync(`${path}.new`, 'replaced')
  renameSync(`${path}.new`, path)
}

async function isSound(sink: Sink): Promise<boolean> {
  return (await sink.verify({ signal: neverAborted })).sound
}

/** A snapshot, and what differed from it as "path kind", sorted. */
async function compare(sink: Sink, state: State, revision: number): Promise<{ result: WriteResult; found: string[] }> {
  const found: Difference[] = []
  const result = await sink.restore(snapshot(state, position(revision)), {
    ...options,
    onDifference: (difference) => found.push(difference),
  })
  return { result, found: found.map(({ path, kind }) => `${path} ${kind}`).sort() }
}
