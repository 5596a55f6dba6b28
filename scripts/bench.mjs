// npm run bench: what etcd-mirror costs, beside peers measured in the same run; see docs/benchmarks.md.
// `-- --only live` (repeatable) runs one scenario, `-- --quick` tries the harness with small numbers.
import { parseArgs } from 'node:util'
import { ensureEtcd } from '../test/rig/ensure.mjs'
import { bootstrap, root } from './bootstrap.mjs'
import { build } from './build.mjs'
import { fail, step } from './console.mjs'

const options = readOptions()
await bootstrap(import.meta.url)
const { runBench, SCENARIO_NAMES } = await import('../bench/run.ts')
const { LAYOUTS } = await import('../bench/published-tree.ts')
const unknown = options.only?.find((name) => !SCENARIO_NAMES.includes(name))
if (unknown !== undefined) fail(`--only takes one of ${SCENARIO_NAMES.join(', ')}`)
if (!LAYOUTS.includes(options.layout)) fail(`--layout takes one of ${LAYOUTS.join(', ')}`)

// Every process and directory of a run is cleaned up by a listener of its own.
process.setMaxListeners(0)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))
try {
  await step('building dist', build)
  const programs = await step('etcd', () => ensureEtcd('3.6', (line) => console.log(`  ${line}`)))
  await runBench({ ...options, root, programs, step })
} catch (error) {
  fail(error.stack)
}

function readOptions() {
  const only = { type: 'string', multiple: true }
  try {
    const { values } = parseArgs({
      options: { only, quick: { type: 'boolean', default: false }, layout: { type: 'string', default: 'Snapshot' } },
    })
    return values
  } catch (error) {
    return fail(error.message)
  }
}
