import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { apply, fileSink, options, publishedFiles, restore, tempDirectory, until } from './support.ts'

const CHILD = fileURLToPath(new URL('./lock-child.ts', import.meta.url))
const isRoot = process.getuid?.() === 0
const NOBODY = 65534
const BUSY = 'another process holds it'

interface Contender {
  readonly process: ChildProcess
  /** What it said about opening the root. */
  readonly said: string
}

/** Another process that tries to open `root`, by way of a command that starts it. */
async function contender(root: string, by: readonly string[] = []): Promise<Contender> {
  const [command = '', ...args] = [...by, process.execPath, CHILD, root]
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const [said] = await once(createInterface({ input: child.stdout }), 'line')
  return { process: child, said: String(said) }
}

async function end({ process: child }: Contender): Promise<void> {
  child.stdin?.end()
  await once(child, 'exit')
}

describe('file sink, the lock of a root', { timeout: 30_000 }, () => {
  test('lets one process open it, and the next once that one has closed it', async () => {
    const root = tempDirectory()
    const first = await contender(root)
    expect(first.said).toBe('opened')
    const sink = fileSink(root)
    const failure = { code: 'TargetBusy', retryable: true, message: `Cannot take ${root}: ${BUSY}` }
    await expect(sink.open(options)).rejects.toMatchObject({
      ...failure,
      hint: expect.stringContaining('goes on once'),
    })
    await end(first)
    await sink.open(options)
    expect((await contender(root)).said).toBe(`TargetBusy: Cannot take ${root}: ${BUSY}`)
    await sink.close()
    expect((await contender(root)).said).toBe('opened')
  })

  test('lets one target of one process open it, and the next once that one has closed it', async () => {
    const root = tempDirectory()
    const [first, second] = [fileSink(root), fileSink(root)]
    await first.open(options)
    await expect(second.open(options)).rejects.toMatchObject({ code: 'TargetBusy' })
    await restore(first, { a: '1' }, 10)
    await apply(first, { a: '2' }, 11)
    await first.open(options)
    await expect(second.open(options)).rejects.toMatchObject({ code: 'TargetBusy' })
    await first.close()
    expect((await second.open(options)).published).toEqual({ revision: 11, epoch: 0 })
  })

  test('is free again when its holder was killed', async () => {
    const root = tempDirectory()
    const holder = await contender(root)
    const sink = fileSink(root)
    await expect(sink.open(options)).rejects.toMatchObject({ code: 'TargetBusy' })
    holder.process.kill('SIGKILL')
    await once(holder.process, 'exit')
    await sink.open(options)
    expect(await restore(sink, { a: '1' }, 10)).toMatchObject({ published: true })
  })

  test('holds between processes of other mount and PID namespaces', async () => {
    const root = tempDirectory()
    // Both are process 1, as in containers that share a volume.
    const container = [
      'unshare',
      ...(isRoot ? [] : ['--user', '--map-root-user']),
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
    ]
    const first = await contender(root, container)
    const second = await contender(root, container)
    expect([first.said, second.said]).toEqual(['opened', `TargetBusy: Cannot take ${root}: ${BUSY}`])
    first.process.kill('SIGKILL')
    await once(first.process, 'exit')
    const third = await contender(root, container)
    expect(third.said).toBe('opened')
  })

  test('a process that waits for it changes and removes nothing', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    const work = join(root, '.etcd-mirror', 'work')
    await until(() => readdirSync(work).length === 1)
    mkdirSync(join(work, 'in the making'))
    mkdirSync(join(root, '.revisions', '99'))
    expect((await contender(root)).said).toContain(BUSY)
    expect(readdirSync(work)).toContain('in the making')
    expect(readdirSync(join(root, '.revisions')).sort()).toEqual(['10', '99'])
    await sink.close()
  })

  test('is not taken of a root that belongs to another mirror, nor is a file written there', async () => {
    const root = tempDirectory()
    writeFileSync(join(root, 'precious'), 'x')
    await expect(fileSink(root).open(options)).rejects.toMatchObject({ code: 'TargetForeign' })
    expect(readdirSync(root)).toEqual(['precious'])
  })

  test('is taken on a file that an ended process left, whatever stands beside it', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    await sink.close()
    expect(existsSync(join(root, '.etcd-mirror', 'lock'))).toBe(true)
    expect(readdirSync(join(root, '.etcd-mirror'))).not.toContain('lock-journal')
    expect((await fileSink(root).open(options)).position?.revision).toBe(10)
  })

  test('goes with a root that vanished, and is taken anew where the root is made again', async () => {
    const root = join(tempDirectory(), 'root')
    const sink = fileSink(root)
    await sink.open(options)
    rmSync(root, { recursive: true })
    await sink.open(options)
    expect((await contender(root)).said).toContain(BUSY)
    await restore(sink, { a: '1' }, 10)
    expect(publishedFiles(root)).toEqual({ a: '1' })
  })

  test.each([
    ['a directory', (lock: string) => mkdirSync(lock), 'TargetBroken'],
    ['a symbolic link', (lock: string) => symlinkSync('/dev/null', lock), 'TargetBroken'],
    ['some other file', (lock: string) => writeFileSync(lock, 'x'.repeat(4096)), 'TargetBroken'],
  ])('says what is wrong when %s stands in its place', async (_what, put, code) => {
    const root = tempDirectory()
    const meta = join(root, '.etcd-mirror')
    mkdirSync(meta)
    put(join(meta, 'lock'))
    await expect(fileSink(root).open(options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`Cannot take ${root}: `),
      hint: expect.stringContaining(`Remove ${meta}/lock`),
    })
    expect(readdirSync(meta)).toEqual(['lock'])
  })

  test('says what is wrong when the file is of another user', async () => {
    const root = tempDirectory()
    const sink = fileSink(root)
    await sink.open(options)
    await sink.close()
    const lock = join(root, '.etcd-mirror', 'lock')
    const message = `Cannot take ${root}: ${lock} cannot be written (EACCES)`
    if (!isRoot) {
      chmodSync(lock, 0o400)
      await expect(sink.open(options)).rejects.toMatchObject({ code: 'TargetNotWritable', message })
      return
    }
    // A volume that root wrote before, but for the one file: SQLite would open that for reading and lock nothing.
    for (const entry of ['.', '.etcd-mirror', '.etcd-mirror/owner.json']) chownSync(join(root, entry), NOBODY, NOBODY)
    const unprivileged = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
    for (const mode of [0o644, 0o600]) {
      chmodSync(lock, mode)
      const { said } = await contender(root, unprivileged)
      expect(said).toBe(`TargetNotWritable: ${message}`)
    }
    rmSync(lock)
    rmSync(join(root, '.revisions'), { recursive: true })
    for (const entry of ['trees', 'work']) chownSync(join(root, '.etcd-mirror', entry), NOBODY, NOBODY)
    expect((await contender(root, unprivileged)).said).toBe('opened')
  })
})
