import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { findProcesses } from '../../../../src/targets/hooks/find-processes.ts'
import { runSignal } from '../../../../src/targets/hooks/run-signal.ts'
import { eventually } from '../../../support/wait.ts'
import { tempDirectory } from '../files/support.ts'

/** Leaders of process groups. */
const started: number[] = []

afterEach(() => {
  for (const pid of started.splice(0)) process.kill(-pid, 'SIGKILL')
})

/** A shell under a name of its own, with a child of the same name. */
async function server(directory: string, name: string) {
  const program = join(directory, name)
  copyFileSync('/bin/sh', program)
  const script =
    'trap "echo hup > got; exit" HUP; "$0" -c "echo worker > worker; while :; do sleep 0.05; done" & while :; do sleep 0.05; done'
  const child = spawn(program, ['-c', script.replace('"$0"', `"${program}"`)], {
    cwd: directory,
    stdio: 'ignore',
    detached: true,
  })
  started.push(child.pid ?? 0)
  await once(child, 'spawn')
  await eventually(() => expect(existsSync(join(directory, 'worker'))).toBe(true))
  return child
}

describe('runSignal', () => {
  test('asks the server and not its workers', async () => {
    const directory = tempDirectory()
    const name = `srv-${process.pid}-long-name-of-a-server`
    const child = await server(directory, name)
    expect(findProcesses(name)).toEqual([child.pid])
    runSignal({ process: name, signal: 'SIGHUP' }, { isTrial: true })
    expect(existsSync(join(directory, 'got'))).toBe(false)
    const ended = once(child, 'exit')
    runSignal({ process: name, signal: 'SIGHUP' })
    await ended
    expect(readFileSync(join(directory, 'got'), 'utf8')).toBe('hup\n')
  })

  test('a process that cannot be seen is a failure', () => {
    expect(() => runSignal({ process: 'no-such-process-name', signal: 'SIGHUP' })).toThrow(
      'there is no process no-such-process-name to be seen from here',
    )
  })
})
