// npm run mutations: does the suite catch what it is for? Each deliberate fault of test/mutations is put into a copy of the
// project, and the tests that are named for it are run there: one must fail. `-- --only "resume at A + 1"` (part of a
// name; repeatable) runs some. Exit code 0 only when every fault was caught, and the tests pass without one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MUTATIONS, mutate } from '../test/mutations/mutations.mjs'
import { bootstrap, root } from './bootstrap.mjs'
import { ensureCodec } from './codec.mjs'
import { bold, fail, green, red } from './console.mjs'

const COPIED = ['src', 'test', 'scripts', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts', 'README.md']
// A test that a fault makes hang has caught it.
const TIMEOUT_MS = 20_000

const only = readOnly()
await bootstrap(import.meta.url)
await ensureCodec()
const chosen = MUTATIONS.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)))
if (chosen.length === 0) fail('--only fits the name of no mutation')

const copy = mkdtempSync(join(tmpdir(), 'etcd-mirror-mutations-'))
process.once('exit', () => rmSync(copy, { recursive: true, force: true }))
for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true })
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))

const tests = [...new Set(chosen.flatMap((mutation) => mutation.tests))]
const broken = await failing(tests)
if (broken.length > 0) fail('The tests fail without any mutation:', ...broken)

const missed = []
for (const mutation of chosen) {
  const caughtBy = await caught(mutation)
  if (caughtBy === undefined) missed.push(mutation.name)
  const verdict = caughtBy === undefined ? red('not caught') : `${green('caught')} by "${caughtBy}"`
  console.log(`${mutation.name}: ${verdict}`)
}
console.log(bold(`${chosen.length - missed.length} mutations caught, ${missed.length} not caught`))
process.exit(missed.length === 0 ? 0 : 1)

/** Name of a test that failed because of the fault. */
async function caught(mutation) {
  const path = join(copy, mutation.file)
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, mutate(text, mutation))
  try {
    return (await failing(mutation.tests))[0]
  } finally {
    writeFileSync(path, text)
  }
}

/** Full names of the tests that fail, and fail again: on a busy machine one may fail by itself. */
async function failing(files) {
  const first = await failuresOf(files)
  if (first.length === 0) return []
  const exact = first.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
  return await failuresOf(files, [`--testNamePattern=${exact}`])
}

async function failuresOf(files, more = []) {
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const args = ['run', '--project', 'unit', `--testTimeout=${TIMEOUT_MS}`, '--reporter=json', `--outputFile=${report}`]
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, ...args, ...more, ...files], { cwd: copy, stdio: 'ignore' })
  await once(child, 'close')
  const results = readReport(report)
  // A file that cannot be loaded is a broken patch and no finding.
  const unloaded = results.find(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0)
  if (unloaded) throw new Error(`Cannot run ${unloaded.name}: ${unloaded.message}`)
  return results.flatMap(({ assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'failed')
      // As --testNamePattern has them.
      .map(({ ancestorTitles, title }) => [...ancestorTitles, title].join(' > ')),
  )
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults
  } catch (error) {
    throw new Error(`Cannot read what vitest found: ${error.message}`)
  }
}

function readOnly() {
  try {
    return parseArgs({ options: { only: { type: 'string', multiple: true } } }).values.only ?? []
  } catch (error) {
    return fail(error.message)
  }
}
