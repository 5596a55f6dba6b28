import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Sink } from '../../../../src/mirror/sink.ts'
import { hashOf, placeOf, TreeDigest } from '../../../../src/targets/files/tree-digest.ts'
import {
  apply,
  fileSink,
  filesBelow,
  options,
  position,
  publishedName,
  publishedTree,
  restore,
  snapshot,
  tempDirectory,
} from './support.ts'

/** Files that turn into directories and back, escapes, keys without a path, and values on both sides of one read. */
const KEYS = ['a', 'a/b', 'a/b/c', 'a/b/d', 'd', 'd/', '', '..', '%', '\xff', 'x'.repeat(300), 'long/'.repeat(900)]
const value = fc.constantFrom('1', '2', '', 'x'.repeat(70_000))
const key = fc.constantFrom(...KEYS)

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('apply' as const),
      changes: fc.dictionary(key, fc.option(value, { nil: undefined }), { minKeys: 1, maxKeys: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      state: fc.dictionary(key, value),
      overlay: fc.dictionary(key, fc.option(value, { nil: undefined }), { maxKeys: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

test('the digest of the state is that of the files, made from nothing, after any history', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 30 }), async (operations) => {
      const root = tempDirectory()
      const sink = fileSink(root)
      await restore(sink, { a: '1' }, 1)
      let revision = 1
      for (const each of operations) {
        revision += 1
        await run(sink, each, revision)
        expect(storedDigest(root)).toBe(digestFromNothing(publishedTree(root)))
        expect(await sink.verify(options)).toEqual({ sound: true })
      }
      await sink.close()
    }),
    { numRuns: 40 },
  )
})

async function run(sink: Sink, operation: Operation, revision: number): Promise<void> {
  if (operation.kind === 'apply') await apply(sink, operation.changes, revision)
  else if (operation.kind === 'restore') {
    await sink.restore(snapshot(operation.state, position(revision), operation.overlay), options)
  } else if (operation.kind === 'advance') await sink.advance(position(revision), options)
  else {
    await sink.close()
    await sink.open(options)
  }
}

function storedDigest(root: string): unknown {
  const state: unknown = JSON.parse(
    readFileSync(join(root, '.etcd-mirror/trees', `${publishedName(root)}.json`), 'utf8'),
  )
  return typeof state === 'object' && state !== null && 'digest' in state ? state.digest : undefined
}

function digestFromNothing(tree: string): string {
  const digest = new TreeDigest()
  for (const [path, absolute] of filesBelow(tree)) digest.add(hashOf(placeOf(path), readFileSync(absolute)))
  return digest.toString()
}
