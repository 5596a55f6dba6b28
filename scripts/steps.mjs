// The steps that `check` and `test` are made of.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './bootstrap.mjs'
import { runCommand } from './commands.mjs'
import { step } from './console.mjs'

const bin = (name) => join(root, 'node_modules/.bin', name)

export async function checkTypesAndStyle() {
  await step('types', () => runCommand(bin('tsc'), ['-p', root], { cwd: root }))
  await step('style', () =>
    runCommand(bin('biome'), ['check', '--error-on-warnings', '--diagnostic-level=warn', root], { cwd: root }),
  )
}

/** Runs one suite of vitest.config.ts and resolves with `{ passed, failed, skipped }` from its report. */
export async function runSuite(name, vitestArgs = []) {
  const report = join(root, 'test-results', `${name}.json`)
  rmSync(report, { force: true })
  const args = ['run', '--project', name, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  // Test processes that are killed leave their temporary files behind: here, to be removed at the end whatever happens.
  const scratch = mkdtempSync(join(tmpdir(), 'etcd-mirror-tests-'))
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }))
  const env = { ...process.env, TMPDIR: scratch }
  const run = () => runCommand(bin('vitest'), [...args, ...vitestArgs], { cwd: root, env })
  const isGreen = await step(`${name} tests`, run).then(
    () => true,
    () => false,
  )
  const counts = countsOf(report)
  // Errors outside of any test, such as an unhandled rejection.
  if (!isGreen && counts.failed === 0) return { ...counts, failed: 1 }
  return counts
}

function countsOf(report) {
  if (!existsSync(report)) return { passed: 0, failed: 0, skipped: 0 }
  const results = JSON.parse(readFileSync(report, 'utf8'))
  const brokenFiles = results.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  )
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + brokenFiles.length,
    skipped: results.numPendingTests + results.numTodoTests,
  }
}
