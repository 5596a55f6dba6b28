// npm run fuzz: hostile inputs for everything that takes input from strangers (test/unit/security/fuzz).
// `-- --inputs 10000000` that many of each target, `--only wire` one target (repeatable), `--seed N` the same ones again.
import { parseArgs } from 'node:util'
import { bootstrap } from './bootstrap.mjs'
import { bold, fail } from './console.mjs'

const CHUNK = 2000
const options = readOptions()
await bootstrap(import.meta.url)
const { default: fc } = await import('fast-check')
const { FUZZ_TARGETS } = await import('../test/unit/security/fuzz/targets.ts')
const names = FUZZ_TARGETS.map(({ name }) => name)
const wrong = options.only?.find((name) => !names.includes(name))
if (wrong !== undefined) fail(`--only takes one of ${names.join(', ')}`)

const targets = FUZZ_TARGETS.filter(({ name }) => options.only?.includes(name) ?? true)
console.log(`seed ${options.seed}, ${options.inputs} inputs each: ${targets.map(({ name }) => name).join(', ')}`)
const failed = []
for (const target of targets) if (!(await fuzz(target))) failed.push(target.name)
console.log(bold(failed.length === 0 ? 'nothing found' : `found: ${failed.join(', ')}`))
process.exit(failed.length === 0 ? 0 : 1)

/** In chunks, each with a seed of its own, so that the memory stays the same and one is replayed in moments. */
async function fuzz({ name, property }) {
  const started = Date.now()
  for (let done = 0; done < options.inputs; done += CHUNK) {
    const seed = options.seed + done / CHUNK
    const numRuns = Math.min(CHUNK, options.inputs - done)
    const result = await fc.check(property, { seed, numRuns, ...(options.path && { path: options.path }) })
    if (result.failed) {
      console.error(`${name}: ${result.errorInstance?.stack ?? 'interrupted'}\n${fc.stringify(result.counterexample)}`)
      console.error(
        `npm run fuzz -- --only ${name} --inputs ${CHUNK} --seed ${seed} --path ${result.counterexamplePath}`,
      )
      return false
    }
  }
  console.log(`${name}: ${options.inputs} inputs in ${Math.round((Date.now() - started) / 1000)} s`)
  return true
}

function readOptions() {
  const text = { type: 'string' }
  try {
    const { values } = parseArgs({
      options: { inputs: text, seed: text, path: text, only: { type: 'string', multiple: true } },
    })
    const { inputs = '100000', seed = String(Date.now() % 2 ** 31), path, only } = values
    if (!/^\d{1,12}$/.test(inputs) || !/^-?\d{1,10}$/.test(seed)) return fail('--inputs and --seed take whole numbers')
    return { inputs: Number(inputs), seed: Number(seed), path, only }
  } catch (error) {
    return fail(error.message)
  }
}
