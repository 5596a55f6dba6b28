import { expect, test } from 'vitest'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import type { Follower } from '../../../src/mirror/follower.ts'
import { ReadSoFar } from '../../../src/mirror/read-so-far.ts'
import { pinnedSource } from '../../../src/mirror/snapshot-sources.ts'
import type { Snapshot } from '../../../src/replication/snapshot.ts'

const PREFIX = Buffer.from('/a/')
const POSITION = { epoch: 0, clusterId: 1n, revision: 7, raftTerm: 1, keyCount: 0, anchor: undefined }

function pageOf(from: number, keys: number): KeyValue[] {
  return Array.from({ length: keys }, (_, index) => ({
    key: Buffer.from(`/a/${String(from + index).padStart(6, '0')}`),
    value: Buffer.from('v'),
    createRevision: 1,
    modRevision: 1,
    version: 1,
    lease: 0n,
  }))
}

function sourceOf(pages: readonly (readonly KeyValue[])[], isTaken: (kv: KeyValue) => boolean) {
  const told: number[] = []
  const snapshot = {
    pages: (async function* () {
      yield* pages
    })(),
  } as unknown as Snapshot
  const source = pinnedSource(
    snapshot,
    { start: POSITION, progress: new ReadSoFar(PREFIX) },
    {
      rpc: undefined as unknown as EtcdRpc,
      prefix: PREFIX,
      follower: { throwIfFailed: () => undefined, offerAnchor: () => undefined } as unknown as Follower,
      signal: new AbortController().signal,
      select: async (page) => page.filter(isTaken),
      onTaken: (keys) => told.push(keys),
    },
  )
  const sum = () => told.reduce((all, keys) => all + keys, 0)
  return { source, sum }
}

test('pinnedSource tells of what the target is done with, within a large page too, not of what was read ahead', async () => {
  const { source, sum } = sourceOf([pageOf(0, 16), pageOf(16, 10_000)], () => true)
  const handedOut: KeyValue[] = []
  for await (const piece of source.pages) {
    expect(sum()).toBe(handedOut.length)
    expect(piece.length).toBeLessThanOrEqual(1000)
    handedOut.push(...piece)
  }
  expect(handedOut.map(({ key }) => key.toString())).toEqual(pageOf(0, 10_016).map(({ key }) => key.toString()))
  expect(sum()).toBe(10_016)
})

test('pinnedSource counts keys that are no part of the copy as well: the sum is what etcd holds', async () => {
  const { source, sum } = sourceOf(
    [pageOf(0, 500), pageOf(500, 4999)],
    ({ key }) => key.at(-1) === 0x37 && key.at(-4) !== 0x30,
  )
  for await (const piece of source.pages) expect(piece.length).toBeGreaterThan(0)
  expect(sum()).toBe(5499)
})
