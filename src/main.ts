import { runProgram } from './commands/program.ts'
import { ownVersion } from './commands/version.ts'

if (Number.parseInt(process.versions.node, 10) < 22) {
  process.stderr.write(`etcd-mirror: Node.js ${process.versions.node} is too old: 22.19 or newer is needed\n`)
  process.exit(2)
}
// Deprecations inside of libraries are for developers, and would stand between the lines of a JSON log.
process.noDeprecation = true

const controller = new AbortController()
const hangupCallbacks: (() => void)[] = []

process.on('SIGTERM', () => controller.abort(new Error('SIGTERM')))
process.on('SIGINT', () => {
  // Whoever presses Ctrl-C twice does not want to wait for the drain.
  if (controller.signal.aborted) process.exit(130)
  controller.abort(new Error('SIGINT'))
})
process.on('SIGHUP', () => {
  for (const callback of hangupCallbacks) callback()
})
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe may leave early, as `| head` does.
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await runProgram(
  process.argv.slice(2),
  {
    run: async () => (await import('./commands/run.ts')).run,
    check: async () => (await import('./commands/check.ts')).check,
    diff: async () => (await import('./commands/diff.ts')).diff,
    verify: async () => (await import('./commands/verify.ts')).verify,
    status: async () => (await import('./commands/status.ts')).status,
    compact: async () => (await import('./commands/compact.ts')).compact,
    operator: async () => (await import('./commands/operator.ts')).operator,
    schema: async () => (await import('./commands/schema.ts')).schema,
  },
  {
    signal: controller.signal,
    onHangup: (callback) => hangupCallbacks.push(callback),
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    version: ownVersion(),
  },
)
