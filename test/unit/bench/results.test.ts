import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mergeRows, type RecordedRow, type Results, readRows, writeResults } from '../../../bench/results.ts'
import { makeRow, type RowInput } from '../../../bench/row.ts'
import { table } from '../../../bench/table.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

const machine = { cpu: 'a CPU', cores: 2, memoryGiB: 24, kernel: '6.1', node: 'v24.0.0', etcd: '3.6.16' }

function row(name: string, value: number): RecordedRow {
  return recorded({ name, unit: 'ms', samples: [value] })
}

function recorded(input: RowInput): RecordedRow {
  return { ...makeRow(input), commit: 'abc1234+' }
}

describe('mergeRows', () => {
  it('puts a new row in the place of the one of the same name and others at the end', () => {
    const merged = mergeRows([row('a', 1), row('b', 2)], [row('c', 3), row('a', 4)])
    expect(merged.map(({ name, value }) => [name, value])).toEqual([
      ['a', 4],
      ['b', 2],
      ['c', 3],
    ])
  })
})

describe('results file', () => {
  it('gives back the rows that were written', async () => {
    await using directory = await makeTempDir('bench-results')
    const path = join(directory.path, 'results.json')
    const rows = [row('a', 1), recorded({ name: 'b', unit: 'ms', samples: [2], peer: { name: 'p', samples: [1] } })]
    const results: Results = { machine, measuredAt: '2026-01-01T00:00:00.000Z', rows }
    expect(readRows(path)).toEqual([])
    writeResults(path, results)
    expect(readRows(path)).toEqual(rows)
  })
})

describe('table', () => {
  it('shows a missed target in bold and a dash for what is not known', () => {
    const missed = makeRow({ name: 'missed', unit: 'ms', samples: [3], target: { value: 2 } })
    const [head, rule, first, second] = table([missed, row('plain', 1)]).split('\n')
    expect(head).toMatch(/^\| measure +\| value +\| range/)
    expect(rule).toMatch(/^(\|-+)+\|$/)
    expect(first).toMatch(/\| ≤ 2 ms +\| \*\*no\*\* +\|$/)
    expect(second).toMatch(/\| – +\| – +\|$/)
  })
})
