// npm run torture: random writes and random faults against everything the README promises (docs/guarantees.md).
// `-- --minutes 20 --seed 1` so long and from that seed on; `--minutes 0` one round; `--store etcd-3.6`, `--fault cut`
// (both repeatable), `--short` and `--strikes 10` narrow it. Ends with one line of figures, exit code 0 only without violations.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureServers } from '../test/rig/ensure.mjs'
import { bootstrap, root } from './bootstrap.mjs'
import { build } from './build.mjs'
import { ensureCodec } from './codec.mjs'
import { bold, fail, step } from './console.mjs'

const options = readOptions()
await bootstrap(import.meta.url)
// Whatever is left in there goes away at the end, however that comes.
const scratch = mkdtempSync(join(tmpdir(), 'etcd-mirror-torture-'))
process.env.TMPDIR = scratch
process.once('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }))
// Every process and directory of a round has a listener of its own.
process.setMaxListeners(0)

const { Figures } = await import('../test/guarantees/figures.ts')
const figures = new Figures()
const end = (code) => {
  console.log(bold(String(figures)))
  process.exit(figures.violations > 0 ? 1 : code)
}
// The terminal sends Ctrl-C to etcd and the mirror as well: the round that runs is given up, what it has started ends.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])
  process.once(signal, () => end(code))

try {
  await step('etcd codec', ensureCodec)
  const { isStoreKind, STORE_KINDS } = await import('../test/guarantees/store-kinds.ts')
  const wrong = options.stores.find((name) => !isStoreKind(name))
  if (wrong !== undefined) fail(`--store takes one of ${Object.keys(STORE_KINDS).join(', ')}`)
  await step('building dist', build)
  await step('etcd servers', () => ensureServers((line) => console.log(`  ${line}`)))
  const { torture } = await import('../test/guarantees/torture.ts')
  console.log(`seed ${options.seed}, ${options.minutes} minutes`)
  await torture({ ...options, logs: join(root, 'test-results') }, figures)
} catch (error) {
  fail(error.stack)
}
end(0)

function readOptions() {
  const text = { type: 'string' }
  const many = { type: 'string', multiple: true }
  try {
    const { values } = parseArgs({
      options: { minutes: text, seed: text, strikes: text, store: many, fault: many, short: { type: 'boolean' } },
    })
    const { minutes = '10', seed = String(Date.now() % 2 ** 31), strikes, store = [], fault, short = false } = values
    const isNumber = (value) => /^\d{1,10}$/.test(value)
    if (!isNumber(minutes) || !isNumber(seed) || (strikes !== undefined && !isNumber(strikes)))
      return fail('--minutes, --seed and --strikes take whole numbers')
    return {
      ...{ minutes: Number(minutes), seed: Number(seed), stores: store, faults: fault, isShort: short },
      strikes: strikes === undefined ? undefined : Number(strikes),
    }
  } catch (error) {
    return fail(error.message)
  }
}
