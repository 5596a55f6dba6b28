import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Row } from './row.ts'

/** What `bench/results.json` holds. */
export interface Results {
  readonly machine: Machine
  /** Short hash; ends in `+` when files differed from it. */
  readonly commit: string
  /** ISO 8601, of the latest row. */
  readonly measuredAt: string
  readonly rows: readonly Row[]
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
export function mergeRows(before: readonly Row[], now: readonly Row[]): readonly Row[] {
  const byName = new Map([...before, ...now].map((row) => [row.name, row]))
  return [...byName.values()]
}

/** The rows in the file; none when there is no file. */
export function readRows(path: string): readonly Row[] {
  if (!existsSync(path)) return []
  const { rows } = JSON.parse(readFileSync(path, 'utf8')) as Results
  return rows
}

export function writeResults(path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, undefined, 2)}\n`)
}
