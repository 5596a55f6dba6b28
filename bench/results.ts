import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Row } from './row.ts'

/** What `bench/results.json` holds. */
export interface Results {
  readonly machine: Machine
  /** ISO 8601, of the latest row. */
  readonly measuredAt: string
  readonly rows: readonly RecordedRow[]
}

export interface RecordedRow extends Row {
  /** Short hash of what was measured; ends in `+` when files differed from it. */
  readonly commit: string
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  readonly etcd: string
}

/** New rows take the place of those of the same name; the others stay where they are. */
export function mergeRows(before: readonly RecordedRow[], now: readonly RecordedRow[]): readonly RecordedRow[] {
  const byName = new Map([...before, ...now].map((row) => [row.name, row]))
  return [...byName.values()]
}

/** The rows in the file; none when there is no file. */
export function readRows(path: string): readonly RecordedRow[] {
  if (!existsSync(path)) return []
  const { rows } = JSON.parse(readFileSync(path, 'utf8')) as Results
  return rows
}

export function writeResults(path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`)
}
