// npm test: everything, from a bare clone. `-- --only integration -t name` runs one suite, and of it what vitest selects.
import { parseArgs } from 'node:util'
import { ensureCluster, ensureServers } from '../test/rig/ensure.mjs'
import { bootstrap } from './bootstrap.mjs'
import { build } from './build.mjs'
import { ensureCodec } from './codec.mjs'
import { bold, fail, step } from './console.mjs'
import { checkTypesAndStyle, runSuite } from './steps.mjs'

const SUITES = ['unit', 'integration', 'guarantees', 'e2e']
const { only, vitestArgs } = readArguments(process.argv.slice(2))
await bootstrap(import.meta.url)

const started = Date.now()
const total = { passed: 0, failed: 0, skipped: 0 }
try {
  await step('etcd codec', ensureCodec)
  if (only === undefined) await checkTypesAndStyle()
  await suite('unit')
  if (only !== 'unit') {
    await step('building dist', build)
    await step('etcd servers', () => ensureServers((line) => console.log(`  ${line}`)))
  }
  await suite('integration')
  await suite('guarantees')
  if (only === undefined || only === 'e2e') {
    await step('cluster programs', () => ensureCluster((line) => console.log(`  ${line}`)))
  }
  await suite('e2e')
} catch (error) {
  total.failed += 1
  console.error(error.message)
}
if (total.passed + total.failed === 0) {
  console.error('No test was run.')
  total.failed += 1
}
console.log(`after ${Math.round((Date.now() - started) / 1000)} s${total.skipped ? `, ${total.skipped} skipped` : ''}`)
console.log(bold(`${total.passed} passed, ${total.failed} failed`))
process.exit(total.failed === 0 ? 0 : 1)

async function suite(name) {
  if (only !== undefined && only !== name) return
  const { passed, failed, skipped } = await runSuite(name, vitestArgs)
  const isSilent = passed + failed === 0 && vitestArgs.length === 0
  if (isSilent) console.error(`The suite ${name} ran no test.`)
  total.passed += passed
  total.failed += isSilent ? 1 : failed
  total.skipped += skipped
}

function readArguments(args) {
  const { tokens } = parseArgs({ args, options: { only: { type: 'string' } }, strict: false, tokens: true })
  const flag = tokens.find((token) => token.kind === 'option' && token.name === 'only')
  if (flag === undefined) return { only: undefined, vitestArgs: args }
  if (!SUITES.includes(flag.value)) fail(`--only takes one of ${SUITES.join(', ')}`)
  const vitestArgs = args.toSpliced(flag.index, flag.inlineValue ? 1 : 2)
  return { only: flag.value, vitestArgs }
}
