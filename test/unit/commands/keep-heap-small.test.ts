import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/commands/keep-heap-small.ts')

/** Much is read of which little is kept. Prints bytes. */
const CHURN = `
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'
const [phase] = process.argv.slice(1)
if (phase) (await import(${JSON.stringify(MODULE)})).keepHeapSmall(phase)
const kept = []
let peak = 0
for (let round = 0; round < 300; round += 1) {
  kept.push(Array.from({ length: 5000 }, (_, index) => ({ round, index, text: \`\${round}-\${index}\` })))
  if (kept.length > 10) kept.shift()
  peak = Math.max(peak, getHeapStatistics().total_heap_size)
}
const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size
console.log(JSON.stringify({ young, peak }))
`

async function churn(...phase: string[]): Promise<{ readonly young: number; readonly peak: number }> {
  const run = promisify(execFile)
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', CHURN, ...phase])
  // V8 says so when it does not know a flag.
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

test('keepHeapSmall keeps the heap smaller while much is read, and smaller still afterwards', async () => {
  const [plain, reading, following] = await Promise.all([churn(), churn('Reading'), churn('Following')])
  expect(reading.young).toBeLessThan(plain.young / 4)
  expect(following.peak).toBeLessThan(reading.peak)
})
