import { readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Where a mirror's files are and how a consumer sees a new revision: the one place that knows the layouts. Only the
 * Snapshot layout can be told from outside by one file call; others are asked for over `/status`.
 */
export const LAYOUTS = ['Snapshot'] as const
export type Layout = (typeof LAYOUTS)[number]

/** Revision of the tree that consumers see; undefined before the first one. */
export function visibleRevision(root: string): number | undefined {
  try {
    // `<revision>` or `<revision>-<n>`.
    return Number.parseInt(basename(readlinkSync(`${root}/current`)), 10)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Resolves once `revision` or a later one is visible. A look costs some microseconds, so we look every 2 ms. */
export async function untilVisible(root: string, revision: number, timeoutMs = 120_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while ((visibleRevision(root) ?? 0) < revision) {
    if (performance.now() > deadline) throw new Error(`revision ${revision} is not visible after ${timeoutMs} ms`)
    await sleep(2)
  }
}

/** Content of one key's file. */
export function readMirrored(root: string, relativeKey: string): string {
  return readFileSync(`${root}/current/${relativeKey}`, 'latin1')
}
