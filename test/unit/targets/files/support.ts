import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach } from 'vitest'
import type { KeyValue } from '../../../../src/etcd/key-value.ts'
import type { Sink, SnapshotSource, WriteResult } from '../../../../src/mirror/sink.ts'
import type { Change } from '../../../../src/replication/change.ts'
import type { Position } from '../../../../src/replication/position.ts'
import { createFileSink, type FileSinkOptions } from '../../../../src/targets/files/file-sink.ts'
import type { FileTargetOptions } from '../../../../src/targets/files/file-target-options.ts'
import { decodeKeyPath } from '../../../../src/targets/files/key-path.ts'
import { systemClock } from '../../../../src/util/clock.ts'
import { silentLogger } from '../../../../src/util/logger.ts'

export const PREFIX = '/config/'
export const neverAborted = new AbortController().signal
export const options = { signal: neverAborted }

/** Keys (after the prefix, latin1) to values. */
export type State = Readonly<Record<string, string>>

const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const cleanUps: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** A directory in memory that goes with the test. */
export function tempDirectory(): string {
  const directory = mkdtempSync(join(memory, 'etcd-mirror-test-'))
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface TestSinkOptions extends Partial<Omit<FileSinkOptions, 'options'>> {
  readonly layout?: 'Snapshot' | 'InPlace'
  readonly readerGraceMs?: number
  readonly mode?: number
  readonly directoryMode?: number
  readonly modes?: FileTargetOptions['modes']
}

/** Closed with the test. */
export function fileSink(root: string, given: TestSinkOptions = {}): Sink {
  const { layout = 'Snapshot', readerGraceMs = 0, mode = 0o644, directoryMode = 0o755, modes = [], ...rest } = given
  const sink = createFileSink({
    options: { root, layout, readerGraceMs, mode, modes, directoryMode },
    mirrorName: 'app',
    prefix: Buffer.from(PREFIX),
    configHash: 'hash',
    version: '1.0.0',
    logger: silentLogger,
    clock: systemClock,
    ...rest,
  })
  cleanUps.push(() => sink.close())
  return sink
}

export function position(revision: number, overrides: Partial<Position> = {}): Position {
  return { epoch: 0, clusterId: 2n ** 63n, revision, raftTerm: 2, keyCount: 10, anchor: undefined, ...overrides }
}

export function keyValue(relativeKey: string, value: string): KeyValue {
  const key = Buffer.from(PREFIX + relativeKey, 'latin1')
  return { key, value: Buffer.from(value), createRevision: 1, modRevision: 1, version: 1, lease: 0n }
}

/** `undefined` = delete. */
export function changesOf(changes: Readonly<Record<string, string | undefined>>): Change[] {
  return Object.entries(changes).map(([key, value]) =>
    value === undefined
      ? { type: 'delete', key: keyValue(key, '').key, modRevision: 1 }
      : { type: 'put', ...keyValue(key, value) },
  )
}

/** A snapshot of `state`, two keys a page. */
export function snapshot(
  state: State,
  at: Position,
  changes: Readonly<Record<string, string | undefined>> = {},
): SnapshotSource {
  const entries = Object.entries(state).map(([key, value]) => keyValue(key, value))
  entries.sort((left, right) => left.key.compare(right.key))
  async function* pages() {
    for (let start = 0; start < entries.length; start += 2) yield entries.slice(start, start + 2)
  }
  return { pages: pages(), finish: async () => ({ changes: changesOf(changes), position: at }) }
}

export function restore(sink: Sink, state: State, revision: number): Promise<WriteResult> {
  return sink.restore(snapshot(state, position(revision)), options)
}

export function apply(
  sink: Sink,
  changes: Readonly<Record<string, string | undefined>>,
  revision: number,
): Promise<WriteResult> {
  return sink.apply({ changes: changesOf(changes), position: position(revision) }, options)
}

/** File paths below `directory` to absolute paths, sorted. */
export function filesBelow(directory: string): Map<string, string> {
  const files = new Map<string, string>()
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(directory.length + 1), path)
  }
  return new Map([...files].sort(([left], [right]) => (left < right ? -1 : 1)))
}

/** Path to content of the published tree. */
export function publishedFiles(root: string): Record<string, string> {
  const files = filesBelow(publishedTree(root))
  return Object.fromEntries([...files].map(([path, absolute]) => [path, readFileSync(absolute, 'utf8')]))
}

/** The published tree read back as keys. */
export function publishedState(root: string): State {
  const entries = Object.entries(publishedFiles(root))
  return Object.fromEntries(entries.map(([path, value]) => [decodeKeyPath(path).toString('latin1'), value]))
}

/** Waits for what background work does; the test's timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn()
}

/** Absolute, resolved once. */
export function publishedTree(root: string): string {
  return join(root, readlinkSync(join(root, 'current')))
}

export function publishedName(root: string): string {
  return readlinkSync(join(root, 'current')).replace('.revisions/', '')
}

/** What tells whether a file was written anew: inode and modification time, by path. */
export function identities(root: string): Record<string, string> {
  const files = filesBelow(publishedTree(root))
  return Object.fromEntries([...files].map(([path, absolute]) => [path, identityOf(absolute)]))
}

/** Path to content of the files of the layout InPlace. Never opens the lock: closing it would let it go. */
export function inPlaceFiles(root: string): Record<string, string> {
  return Object.fromEntries(inPlacePaths(root).map(([path, absolute]) => [path, readFileSync(absolute, 'utf8')]))
}

/** `inPlaceFiles` read back as keys. */
export function inPlaceState(root: string): State {
  const entries = Object.entries(inPlaceFiles(root))
  return Object.fromEntries(entries.map(([path, value]) => [decodeKeyPath(path).toString('latin1'), value]))
}

/** `identities` of the files of the layout InPlace. */
export function inPlaceIdentities(root: string): Record<string, string> {
  return Object.fromEntries(inPlacePaths(root).map(([path, absolute]) => [path, identityOf(absolute)]))
}

function inPlacePaths(root: string): [string, string][] {
  return [...filesBelow(root)].filter(([path]) => !path.startsWith('.etcd-mirror/'))
}

function identityOf(path: string): string {
  const { ino, mtimeNs } = lstatSync(path, { bigint: true })
  return `${ino} ${mtimeNs}`
}
