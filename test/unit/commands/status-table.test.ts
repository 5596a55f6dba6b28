import { expect, test } from 'vitest'
import { paletteFor } from '../../../src/commands/palette.ts'
import { statusTable } from '../../../src/commands/status-table.ts'
import { statusDocument } from '../../../src/server/status-document.ts'
import type { ConfigStatus, StatusReport } from '../../../src/server/status-report.ts'
import { failure, mirrorStatus } from '../server/mirror-status-sample.ts'

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 11)
const CONFIG: ConfigStatus = { loadedAt: new Date(0), files: [], usesAcceptedCopy: false, lastReload: undefined }
const terminal = { write: () => undefined, isTTY: true }

function table(
  mirrors: Parameters<typeof mirrorStatus>[0][],
  config = CONFIG,
  palette = paletteFor(terminal, { NO_COLOR: '1' }),
  compaction: StatusReport['compaction'] = undefined,
) {
  const report = {
    version: '1.2.3',
    startedAt: new Date(0),
    config,
    compaction,
    mirrors: mirrors.map(mirrorStatus),
  }
  return statusTable(statusDocument(report, { showKeyNames: true }), NOW_MS, palette)
}

test('statusTable shows a line a mirror, with columns that stand below each other', () => {
  const longName = 'a-longer-name'
  const held = { name: longName, phase: 'Held', lastError: failure('EmptyRefused', 'Cannot publish: no key') } as const
  expect(table([{}, held]).split('\n')).toEqual([
    'MIRROR          STATE       REVISION   LAG   KEYS   LAST PUBLISH   LAST ERROR',
    'app             Following   17         2     3      12s ago        -',
    'a-longer-name   Held        17         2     3      12s ago        EmptyRefused: Cannot publish: no key',
    '',
  ])
})

test('statusTable tells how far a snapshot is, what is seeded, and keys without a path', () => {
  const snapshotting = { phase: 'Snapshotting', published: false, snapshot: { read: 1, total: 3 } } as const
  const seeded = { phase: 'Retrying', seeded: true, lastPublishedMs: NOW_MS - 7_200_000 } as const
  const text = table([snapshotting, seeded, { keyErrors: { count: 2, examples: [] }, lastPublishedMs: undefined }])
  expect(text).toMatch(/Snapshotting 33 % +- /)
  expect(text).toMatch(/Retrying \(seeded\) .* 2h ago/)
  expect(text).toMatch(/3 \(2 without a path\) +- /)
})

test('statusTable says below the mirrors what is wrong with the configuration', () => {
  const problems = [{ file: 'mirror.yaml', line: 3, path: 'mirrors', message: 'bad' }]
  const config = {
    ...CONFIG,
    usesAcceptedCopy: true,
    lastReload: { at: new Date(0), result: 'error' as const, problems },
  }
  expect(table([{}], config)).toContain('\nThe configuration is the one that was accepted last')
  expect(table([{}], config)).toContain('\nconfiguration: mirror.yaml:3: mirrors: bad\n')
})

test('statusTable says below the mirrors what is wrong with auto-compact, and nothing while it works', () => {
  const known = { phase: 'Denied', periodMs: 3_600_000, compactedRevision: 0, lastCompactionMs: undefined } as const
  const lastError = { reason: 'PermissionDenied', message: 'Cannot compact etcd', hint: undefined, atMs: 0 }
  const plain = paletteFor(terminal, { NO_COLOR: '1' })
  const below = (compaction: StatusReport['compaction']) =>
    table([{}], CONFIG, plain, compaction).trimEnd().split('\n').slice(2)
  expect(below({ ...known, lastError })).toEqual(['auto-compact: PermissionDenied: Cannot compact etcd'])
  expect(below({ ...known, phase: 'Waiting', lastError: undefined })).toEqual([])
})

test('paletteFor colours a terminal only, and not with NO_COLOR', () => {
  const coloured = table([{}], CONFIG, paletteFor(terminal, {}))
  expect(coloured).toContain('\u001b[')
  expect(coloured).not.toBe(table([{}]))
  expect(table([{}], CONFIG, paletteFor({ write: () => undefined }, {}))).toBe(table([{}]))
  expect(table([{}], CONFIG, paletteFor(terminal, { TERM: 'dumb' }))).toBe(table([{}]))
})
