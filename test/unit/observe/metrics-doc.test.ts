import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'vitest'

test('docs/metrics.md says what the tables in the code say', async () => {
  const script = fileURLToPath(new URL('../../../scripts/generate-metrics-doc.mjs', import.meta.url))
  await promisify(execFile)(process.execPath, [script, '--check'])
})
