import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HookFailure } from '../../../../src/targets/hooks/hook-failure.ts'
import type { HookRun } from '../../../../src/targets/hooks/hook-run.ts'
import { runExec } from '../../../../src/targets/hooks/run-exec.ts'
import { eventually } from '../../../support/wait.ts'
import { tempDirectory } from '../files/support.ts'

const environment = {
  MIRROR_NAME: 'app',
  MIRROR_FROM_REVISION: '4',
  MIRROR_REVISION: '5',
  MIRROR_ROOT: '/mirror/app',
  MIRROR_CHANGES: '/x',
}

function run(directory: string, given: Partial<HookRun> = {}): HookRun {
  return { directory, environment, timeoutMs: 20_000, signal: new AbortController().signal, ...given }
}

const sh = (script: string, directory: string, given?: Partial<HookRun>) =>
  runExec({ command: ['sh', '-c', script] }, run(directory, given))

const failureOf = async (work: Promise<void>) => {
  const failure = await work.then(() => undefined).catch((error: unknown) => error)
  if (!(failure instanceof HookFailure)) throw new Error(`no failure: ${String(failure)}`)
  return failure
}

const isAlive = (pid: number) => {
  try {
    // What was killed and has no parent that waits for it is no longer alive.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

const pidIn = (directory: string, name: string) => Number(readFileSync(join(directory, name), 'utf8'))

describe('runExec', () => {
  test('runs in the tree, with the environment of the mirror and that of the hook, and without a shell', async () => {
    const directory = tempDirectory()
    await sh('pwd > where; env > environment', directory)
    expect(readFileSync(join(directory, 'where'), 'utf8').trim()).toBe(realpathSync(directory))
    const seen = readFileSync(join(directory, 'environment'), 'utf8')
    for (const [name, value] of Object.entries(environment)) expect(seen).toContain(`${name}=${value}\n`)
    expect(seen).toContain('PATH=')
    await runExec({ command: ['touch', 'a;b $HOME'] }, run(directory))
    expect(existsSync(join(directory, 'a;b $HOME'))).toBe(true)
  })

  test.each([
    ['exit 3', 'it ended with 3'],
    ['no-such-program-at-all', 'it ended with 127: a program was not found'],
    ['kill -9 $$', 'it was ended by SIGKILL'],
  ])('%s is a failure', async (script, message) => {
    expect(await failureOf(sh(script, tempDirectory()))).toMatchObject({ kind: 'error', message })
  })

  test('a program that is not there is a failure', async () => {
    const failure = await failureOf(runExec({ command: ['/no/such/program'] }, run(tempDirectory())))
    expect(failure.message).toBe('/no/such/program cannot be run (ENOENT)')
  })

  test('what it prints is kept at its end, in bounded memory', async () => {
    const failure = await failureOf(
      sh('head -c 50000000 /dev/zero | tr "\\0" x; echo; echo the end; exit 1', tempDirectory()),
    )
    expect(failure.output).toMatch(/^…x+\nthe end$/)
    expect(failure.output.length).toBeLessThan(5000)
  })

  test('one that reads its input reads nothing', async () => {
    const directory = tempDirectory()
    await sh('cat > input', directory)
    expect(readFileSync(join(directory, 'input'), 'utf8')).toBe('')
  })

  test('one that hangs, and does not listen, is ended with everything it has started', async () => {
    const directory = tempDirectory()
    const script =
      'trap "" TERM; (trap "" TERM; echo $$ > /dev/null; sh -c "echo \\$\\$ > child; sleep 1000") & echo $$ > pid; while :; do sleep 1000; done'
    const failure = await failureOf(sh(script, directory, { timeoutMs: 1500 }))
    expect(failure).toMatchObject({ kind: 'timeout', message: 'it took longer than 1.5 s' })
    await eventually(() => expect([pidIn(directory, 'pid'), pidIn(directory, 'child')].filter(isAlive)).toEqual([]))
  })

  test('orphans go with the program that left them, although they hold its output open', async () => {
    const directory = tempDirectory()
    await sh('sh -c "echo \\$\\$ > orphan; sleep 1000" & while ! [ -s orphan ]; do sleep 0.01; done', directory)
    await eventually(() => expect(isAlive(pidIn(directory, 'orphan'))).toBe(false))
  })

  test('one that forks, and whose children fork again and again, leaves none of them', async () => {
    const directory = tempDirectory()
    const pids = join(directory, 'pids')
    const child = `echo $$ >> ${pids}; sh -c 'echo $$ >> ${pids}; for i in $(seq 1000); do sleep 0.01 & wait; done' & wait`
    await sh(
      `for i in 1 2 3 4 5 6 7 8; do sh -c "$CHILD" & done; while [ "$(wc -l < pids)" -lt 16 ]; do sleep 0.01; done`,
      directory,
      {
        environment: { ...environment, CHILD: child } as HookRun['environment'],
      },
    )
    const started = readFileSync(pids, 'utf8').trimEnd().split('\n').map(Number)
    expect(started.length).toBeGreaterThanOrEqual(16)
    await eventually(() => expect(started.filter(isAlive)).toEqual([]))
  })

  test('one that floods its output is ended like any other', async () => {
    const failure = await failureOf(sh('yes', tempDirectory(), { timeoutMs: 500 }))
    expect(failure.kind).toBe('timeout')
  })

  test('an abort ends it and is rethrown', async () => {
    const directory = tempDirectory()
    const abort = new AbortController()
    const running = sh('echo $$ > pid; sleep 1000', directory, { signal: abort.signal })
    await eventually(() => expect(pidIn(directory, 'pid')).toBeGreaterThan(0))
    abort.abort(new Error('stopping'))
    await expect(running).rejects.toThrow('stopping')
    await eventually(() => expect(isAlive(pidIn(directory, 'pid'))).toBe(false))
  })

  test('an abort before the start starts nothing', async () => {
    const directory = tempDirectory()
    writeFileSync(join(directory, 'x'), '')
    await expect(sh('touch started', directory, { signal: AbortSignal.abort(new Error('off')) })).rejects.toThrow('off')
    expect(existsSync(join(directory, 'started'))).toBe(false)
  })
})
