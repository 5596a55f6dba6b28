import { expect, test } from 'vitest'
import { statusDocument } from '../../../src/server/status-document.ts'
import { REPORT } from './running-server.ts'

const at = new Date('2026-01-02T03:05:00Z')
const problems = [
  { file: '/conf/mirror.yaml', line: 4, column: 7, path: 'mirrors[0].prefixx', message: 'unknown key' },
  { file: '/conf/etcd.conf', path: '', message: 'does not exist' },
]
const report = { ...REPORT, config: { ...REPORT.config, lastReload: { at, result: 'error' as const, problems } } }

test('statusDocument tells what is wrong with a configuration, word for word to loopback', () => {
  expect(statusDocument(report, { showKeyNames: true }).config).toEqual({
    loadedAt: '2026-01-02T03:04:00.000Z',
    files: ['/etc/etcd-mirror/mirror.yaml'],
    usesAcceptedCopy: false,
    lastReload: {
      at: '2026-01-02T03:05:00.000Z',
      result: 'error',
      problems: ['/conf/mirror.yaml:4:7: mirrors[0].prefixx: unknown key', '/conf/etcd.conf: does not exist'],
    },
  })
})

test('statusDocument tells others only where something is wrong with a configuration', () => {
  const { lastReload } = statusDocument(report, { showKeyNames: false }).config
  expect(lastReload?.problems).toEqual(['/conf/mirror.yaml:4:7: mirrors[0].prefixx', '/conf/etcd.conf'])
})
