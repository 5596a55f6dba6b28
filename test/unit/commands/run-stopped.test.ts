import { expect, test } from 'vitest'
import { run } from '../../../src/commands/run.ts'
import type { RunFlags } from '../../../src/commands/run-flags.ts'

const FLAGS: RunFlags = {
  config: undefined,
  etcdConfig: undefined,
  configDir: '/nowhere',
  httpBind: undefined,
  logLevel: 'error',
  logFormat: 'json',
  warnings: [],
  dryRun: false,
  oneTime: false,
  skipAfterHooks: false,
  timeoutMs: undefined,
  shutdownGraceMs: 1000,
  allowKinds: [],
}

function contextOf(signal: AbortSignal) {
  const output = { write: () => true }
  return { signal, onHangup() {}, stdout: output, stderr: output, env: {}, version: '0' }
}

test('run resolves to 0 when it is stopped while it reads its configuration', async () => {
  expect(await run(FLAGS, contextOf(AbortSignal.abort(new Error('SIGTERM'))))).toBe(0)
})

test('run --one-time rejects when it is stopped before every copy is there', async () => {
  const reason = new Error('SIGTERM')
  await expect(run({ ...FLAGS, oneTime: true }, contextOf(AbortSignal.abort(reason)))).rejects.toBe(reason)
})
