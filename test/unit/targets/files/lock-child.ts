/** Opens a root, says "opened" or the error's code, and holds it until its input ends: lock-child.ts <root>. */
import { once } from 'node:events'
import { createFileSink } from '../../../../src/targets/files/file-sink.ts'
import { systemClock } from '../../../../src/util/clock.ts'
import { silentLogger } from '../../../../src/util/logger.ts'

const [root = ''] = process.argv.slice(2)
const sink = createFileSink({
  options: { root, layout: 'Snapshot', readerGraceMs: 0, mode: 0o644, directoryMode: 0o755 },
  mirrorName: 'app',
  prefix: Buffer.from('/config/'),
  configHash: 'hash',
  version: '1.0.0',
  logger: silentLogger,
  clock: systemClock,
})
try {
  await sink.open({ signal: new AbortController().signal })
  console.log('opened')
} catch (error) {
  console.log(error instanceof Error && 'code' in error ? `${error.code}: ${error.message}` : String(error))
}
await once(process.stdin.resume(), 'end')
await sink.close()
