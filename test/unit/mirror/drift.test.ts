import { describe, expect, test } from 'vitest'
import { Comparison, Drift } from '../../../src/mirror/drift.ts'
import type { Difference } from '../../../src/mirror/sink.ts'
import type { Position } from '../../../src/replication/position.ts'
import type { Logger } from '../../../src/util/logger.ts'

const CHANGED: Difference = { path: 'old', kind: 'changed', modRevision: 10 }
const ADDED: Difference = { path: 'added', kind: 'added', modRevision: undefined }

describe('Comparison', () => {
  test('takes for drift what etcd did not change since the base', () => {
    const later: Difference = { path: 'later', kind: 'changed', modRevision: 11 }
    expect(compared(at(10), CHANGED, later).drift(at(20))).toEqual({
      count: 1,
      examples: [{ path: 'old', kind: 'changed' }],
    })
  })

  test('takes a path without a key for drift at the base only: later, its key may have been deleted', () => {
    expect(compared(at(10), ADDED).drift(at(10)).count).toBe(1)
    expect(compared(at(10), ADDED).drift(at(11)).count).toBe(0)
  })

  test('takes nothing for drift when the base is not known or of another epoch', () => {
    expect(compared(undefined, CHANGED, ADDED).drift(at(10)).count).toBe(0)
    expect(compared(at(10), CHANGED, ADDED).drift(at(10, 1)).count).toBe(0)
  })

  test('counts all and names ten, in few words', () => {
    const many = Array.from({ length: 25 }, (_, index) => ({ ...CHANGED, path: `${index}${'x'.repeat(1000)}` }))
    const { count, examples } = compared(at(10), ...many).drift(at(10))
    expect(count).toBe(25)
    expect(examples.map(({ path }) => path.length)).toEqual(Array(10).fill(200))
  })
})

describe('Drift', () => {
  test('counts a finding once, whether or not it was noticed before it was named', () => {
    const { drift, counted, logged } = observed()
    drift.found('noticed')
    drift.found('noticed again')
    drift.repaired(compared(at(10), CHANGED), at(10))
    expect(counted()).toBe(1)
    drift.repaired(compared(at(10), CHANGED), at(10))
    expect(counted()).toBe(2)
    expect(logged).toEqual([
      ['noticed', {}],
      ['drift repaired', { revision: 10, count: 1, examples: [{ path: 'old', kind: 'changed' }] }],
      ['the copy differs from etcd in what etcd did not change', {}],
      ['drift repaired', { revision: 10, count: 1, examples: [{ path: 'old', kind: 'changed' }] }],
    ])
  })

  test('says so when nothing is left to name', () => {
    const { drift, counted, logged } = observed()
    drift.found('noticed')
    drift.repaired(compared(at(10)), at(10))
    drift.repaired(compared(at(10)), at(10))
    expect(counted()).toBe(1)
    expect(logged.map(([message]) => message)).toEqual([
      'noticed',
      'drift repaired; what differed cannot be told from what etcd changed meanwhile',
    ])
  })
})

function at(revision: number, epoch = 0): Position {
  return { epoch, clusterId: 1n, revision, raftTerm: 1, keyCount: 1, anchor: undefined }
}

function compared(base: Position | undefined, ...differences: readonly Difference[]): Comparison {
  const comparison = new Comparison(base)
  for (const difference of differences) comparison.add(difference)
  return comparison
}

function observed() {
  const logged: [message: string, fields: object][] = []
  let count = 0
  const log: Logger['info'] = ({ mirror: _, ...fields }, message) => logged.push([message, fields])
  const drift = new Drift({
    name: 'app',
    logger: { debug: log, info: log, warn: log, error: log },
    metrics: { add: () => (count += 1), set: () => undefined, observe: () => undefined },
  })
  return { drift, logged, counted: () => count }
}
