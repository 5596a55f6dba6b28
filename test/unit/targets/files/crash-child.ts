/**
 * Runs one write on a root that holds revision 10, and kills itself with SIGKILL just before a step:
 * crash-child.ts <root> <step> <apply|restore|advance> [layout]. Loads nothing of the test runner.
 */
import { createFileSink } from '../../../../src/targets/files/file-sink.ts'
import { systemClock } from '../../../../src/util/clock.ts'
import { silentLogger } from '../../../../src/util/logger.ts'

const [root = '', step = '', write = '', layout = 'Snapshot'] = process.argv.slice(2)
const options = { signal: new AbortController().signal }
const position = { epoch: 0, clusterId: 1n, revision: 11, raftTerm: 1, keyCount: 2, anchor: undefined }

const sink = createFileSink({
  options: {
    root,
    layout: layout === 'InPlace' ? layout : 'Snapshot',
    readerGraceMs: 0,
    mode: 0o644,
    directoryMode: 0o755,
  },
  mirrorName: 'app',
  prefix: Buffer.from('/config/'),
  configHash: 'hash',
  version: '1.0.0',
  logger: silentLogger,
  clock: systemClock,
  onStep: (reached) => {
    if (reached === step) process.kill(process.pid, 'SIGKILL')
  },
})

function keyValue(key: string, value: string) {
  const bytes = { key: Buffer.from(`/config/${key}`), value: Buffer.from(value) }
  return { ...bytes, createRevision: 1, modRevision: 11, version: 1, lease: 0n }
}

async function* pages() {
  yield [keyValue('a', '2'), keyValue('same', 's')]
}

await sink.open(options)
if (write === 'apply') {
  await sink.apply({ changes: [{ type: 'put', ...keyValue('a', '2') }], position }, options)
} else if (write === 'advance') {
  await sink.advance(position, options)
} else {
  await sink.restore({ pages: pages(), finish: async () => ({ changes: [], position }) }, options)
}
await sink.close()
