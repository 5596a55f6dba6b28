// Runs one build command quietly: a line every ten seconds while it works, its output only when it fails.
import { spawn } from 'node:child_process'

/**
 * Resolves with the command's stdout. Rejects with its last output lines when it fails, and with `missing` as the
 * message when the program does not exist.
 */
export function run(command, args, { cwd, env, log, what, missing }) {
  return new Promise((resolve, reject) => {
    const started = Date.now()
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const heartbeat = setInterval(() => log(`${what} … ${Math.round((Date.now() - started) / 1000)} s`), 10_000)
    const onExit = () => child.kill('SIGKILL')
    process.once('exit', onExit)
    const done = (settle, value) => {
      clearInterval(heartbeat)
      process.off('exit', onExit)
      settle(value)
    }
    let stdout = ''
    let output = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    child.on('error', (error) => {
      done(reject, error.code === 'ENOENT' && missing ? new Error(missing) : error)
    })
    child.on('close', (code, signal) => {
      if (code === 0) return done(resolve, stdout)
      const tail = output.trim().split('\n').slice(-15).join('\n')
      done(reject, new Error(`Cannot finish ${what}: ${command} ${args[0]} ended with ${signal ?? code}\n${tail}`))
    })
  })
}
