import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Sink } from '../../../../src/mirror/sink.ts'
import { FileSystem } from '../../../../src/targets/files/file-system.ts'
import { layoutOf } from '../../../../src/targets/files/layout.ts'
import type { HookContext } from '../../../../src/targets/hooks/hook-context.ts'
import { HookSet } from '../../../../src/targets/hooks/hook-set.ts'
import { hooksSchema } from '../../../../src/targets/hooks/options.ts'
import type { StagedCheck } from '../../../../src/targets/hooks/staged-check.ts'
import { commandChecks } from '../../../../src/targets/validate/command-checks.ts'
import { validateSchema } from '../../../../src/targets/validate/options.ts'
import { systemClock } from '../../../../src/util/clock.ts'
import { silentLogger } from '../../../../src/util/logger.ts'
import { noMetrics } from '../../../../src/util/metrics.ts'
import { eventually } from '../../../support/wait.ts'
import {
  apply,
  fileSink,
  inPlaceFiles,
  inPlaceIdentities,
  options,
  publishedFiles,
  publishedName,
  publishedTree,
  restore,
  type TestSinkOptions,
  tempDirectory,
  until,
} from '../files/support.ts'

const results: [string, string | undefined][] = []
afterEach(() => void results.splice(0))

/** A sink whose hooks write into `<directory>/out`. */
function hookedSink(
  directory: string,
  hooks: readonly unknown[],
  given: TestSinkOptions = {},
  checks: readonly StagedCheck[] = [],
): Sink {
  const root = join(directory, 'root')
  const onResult: HookContext['onResult'] = (hook, failure) => void results.push([hook, failure?.message])
  const shared = { files: new FileSystem(), clock: systemClock, logger: silentLogger, metrics: noMetrics }
  const context = { ...shared, mirror: 'app', root, directory: layoutOf(root).hooks, onResult }
  return fileSink(root, { hooks: new HookSet(hooksSchema.parse(hooks), context, checks), ...given })
}

const sh = (name: string, phase: string, script: string, more: object = {}) => ({
  name,
  phase,
  exec: { command: ['sh', '-c', script] },
  ...more,
})

function place() {
  const directory = tempDirectory()
  mkdirSync(join(directory, 'out'))
  const out = (name: string) => join(directory, 'out', name)
  const read = (name: string) => readFileSync(out(name), 'utf8')
  const lines = (name: string) => (existsSync(out(name)) ? read(name).trimEnd().split('\n') : [])
  return { directory, root: join(directory, 'root'), out, read, lines }
}

describe('BeforePublish', () => {
  test('sees the staged tree as its working directory, before consumers do, and what changed', async () => {
    const { directory, root, out, read } = place()
    const script = `cat a > ${out('a')}; readlink ${root}/current > ${out('current')}; cat "$MIRROR_CHANGES" > ${out('changes')}; echo "$MIRROR_NAME $MIRROR_FROM_REVISION $MIRROR_REVISION $MIRROR_ROOT" > ${out('env')}`
    const sink = hookedSink(directory, [sh('check', 'BeforePublish', script)])
    await restore(sink, { a: '1', 'b/c': '1' }, 5)
    expect([read('a'), read('current'), read('changes'), read('env')]).toEqual([
      '1',
      '',
      'a\nb/c\n',
      `app 0 5 ${root}\n`,
    ])
    await apply(sink, { a: '2' }, 6)
    expect([read('a'), read('current'), read('changes'), read('env')]).toEqual([
      '2',
      '.revisions/5\n',
      'a\n',
      `app 5 6 ${root}\n`,
    ])
  })

  test('that fails keeps the last good tree; the next change is asked for again, with what was held', async () => {
    const { directory, root } = place()
    const sink = hookedSink(directory, [sh('check', 'BeforePublish', '! grep -q bad a')])
    await restore(sink, { a: 'good' }, 5)
    await expect(apply(sink, { a: 'bad', b: 'x' }, 6)).rejects.toMatchObject({
      code: 'HookVetoed',
      message: 'Cannot publish revision 6: the hook check refuses it: it ended with 1',
    })
    expect([publishedName(root), publishedFiles(root)]).toEqual(['5', { a: 'good' }])
    await apply(sink, { a: 'better', b: 'x' }, 7)
    expect([publishedName(root), publishedFiles(root)]).toEqual(['7', { a: 'better', b: 'x' }])
    await expect(restore(sink, { a: 'bad' }, 8)).rejects.toMatchObject({ code: 'HookVetoed' })
    expect(publishedFiles(root)).toEqual({ a: 'better', b: 'x' })
  })

  test('InPlace sees the next state beside the files of now, and a veto leaves these as they are', async () => {
    const { directory, root, read, lines, out } = place()
    const script = `find . -type f | sort > ${out('seen')}; cat a > ${out('a')}; cat "$MIRROR_CHANGES" > ${out('changes')}; echo $MIRROR_REVISION >> ${out('runs')}; ! grep -q bad a`
    const hooks = [sh('check', 'BeforePublish', script, { files: ['a', 'd/**'] })]
    const sink = hookedSink(directory, hooks, { layout: 'InPlace' })
    await restore(sink, { a: 'good', 'd/b': '1', other: 'x' }, 5)
    const before = inPlaceIdentities(root)
    await expect(apply(sink, { a: 'bad', 'd/b': undefined, c: 'new' }, 6)).rejects.toMatchObject({ code: 'HookVetoed' })
    expect([read('seen'), read('a'), read('changes')]).toEqual(['./a\n./c\n./other\n', 'bad', 'a\nc\nd/b\n'])
    expect(inPlaceFiles(root)).toEqual({ a: 'good', 'd/b': '1', other: 'x' })
    expect(inPlaceIdentities(root)).toEqual(before)
    await apply(sink, { a: 'better', 'd/b': undefined, c: 'new' }, 7)
    expect(inPlaceFiles(root)).toEqual({ a: 'better', c: 'new', other: 'x' })
    // None of its business: nobody is asked.
    await apply(sink, { c: 'newer' }, 8)
    expect(lines('runs')).toEqual(['5', '6', '7'])
    expect(await sink.verify(options)).toEqual({ sound: true })
    await until(() => readdirSync(layoutOf(root).work).length === 0)
  })

  test('an abort ends a hook that goes on', async () => {
    const { directory, root, lines, out } = place()
    const sink = hookedSink(directory, [sh('check', 'BeforePublish', `echo $$ >> ${out('pid')}; sleep 1000`)])
    const abort = new AbortController()
    const running = sink.restore(
      { pages: (async function* () {})(), finish: async () => ({ changes: [], position: positionAt(5) }) },
      { signal: abort.signal },
    )
    await eventually(() => expect(lines('pid')).toHaveLength(1))
    abort.abort(new Error('stopping'))
    await expect(running).rejects.toThrow('stopping')
    expect(existsSync(join(root, 'current'))).toBe(false)
  })
})

const positionAt = (revision: number) => ({
  epoch: 0,
  clusterId: 2n ** 63n,
  revision,
  raftTerm: 2,
  keyCount: 0,
  anchor: undefined,
})

test('a command of validate is asked about files that are there: not where there is none, nor when one goes', async () => {
  const { directory, root, out, lines } = place()
  const command = ['sh', '-c', `echo $MIRROR_REVISION >> ${out('runs')}; ! grep -q bad conf/a`]
  const checks = commandChecks(validateSchema.parse([{ files: ['conf/*'], command }]))
  const sink = hookedSink(directory, [], {}, checks)
  await restore(sink, { other: 'x' }, 5)
  expect(lines('runs')).toEqual([])
  await apply(sink, { 'conf/a': 'good' }, 6)
  await apply(sink, { other: 'y' }, 7)
  await expect(apply(sink, { 'conf/a': 'bad' }, 8)).rejects.toMatchObject({ code: 'ValidationFailed' })
  expect(publishedFiles(root)).toEqual({ 'conf/a': 'good', other: 'y' })
  await apply(sink, { 'conf/a': undefined }, 9)
  await restore(sink, { 'conf/a': 'good', other: 'z' }, 10)
  expect(lines('runs')).toEqual(['6', '8', '10'])
})

describe('files of a hook', () => {
  test('say which changes are its business; what else changed is told with the next that is', async () => {
    const { directory, out, lines, read } = place()
    const script = `cat "$MIRROR_CHANGES" > ${out('changes')}; echo "$MIRROR_FROM_REVISION $MIRROR_REVISION" >> ${out('after')}`
    const sink = hookedSink(directory, [
      sh('check', 'BeforePublish', `echo $MIRROR_REVISION >> ${out('before')}`, { files: ['a/**'] }),
      sh('reload', 'AfterPublish', script, { files: ['a/**'] }),
    ])
    await restore(sink, { 'a/x': '1', b: '1' }, 5)
    await eventually(() => expect(lines('after')).toEqual(['0 5']))
    await apply(sink, { b: '2' }, 6)
    await apply(sink, { 'a/x': '2' }, 7)
    await eventually(() => expect(lines('after')).toEqual(['0 5', '5 7']))
    expect(lines('before')).toEqual(['5', '7'])
    expect(read('changes')).toBe('a/x\nb\n')
  })
})

describe('AfterPublish', () => {
  test('hears of each publish, with what changed since it heard last', async () => {
    const { directory, out, lines, read } = place()
    const script = `cat "$MIRROR_CHANGES" > ${out('changes')}; echo "$MIRROR_FROM_REVISION $MIRROR_REVISION $(cat a)" >> ${out('runs')}`
    const sink = hookedSink(directory, [sh('reload', 'AfterPublish', script)])
    await restore(sink, { a: '1', b: '1' }, 5)
    await eventually(() => expect(lines('runs')).toEqual(['0 5 1']))
    await apply(sink, { a: '2' }, 6)
    await eventually(() => expect(lines('runs')).toEqual(['0 5 1', '5 6 2']))
    expect(read('changes')).toBe('a\n')
  })

  test('hears once of many publishes while it runs, and of the newest', async () => {
    const { directory, out, lines, read } = place()
    const script = `cat "$MIRROR_CHANGES" > ${out('changes')}; echo "$MIRROR_FROM_REVISION $MIRROR_REVISION" >> ${out('runs')}; while [ -e ${out('wait')} ]; do sleep 0.01; done`
    const sink = hookedSink(directory, [sh('reload', 'AfterPublish', script)])
    writeFileSync(out('wait'), '')
    await restore(sink, { a: '1' }, 5)
    await eventually(() => expect(lines('runs')).toHaveLength(1))
    for (let revision = 6; revision <= 30; revision++)
      await apply(sink, { [`k${revision % 3}`]: String(revision) }, revision)
    unlinkSync(out('wait'))
    await eventually(() => expect(lines('runs')).toEqual(['0 5', '5 30']))
    expect(read('changes')).toBe('k0\nk1\nk2\n')
  })

  test('the tree of a hook that runs stays as it is, whatever is published meanwhile', async () => {
    const { directory, root, out, lines } = place()
    const script = `pwd >> ${out('pwd')}; while [ -e ${out('wait')} ]; do sleep 0.01; done; cat a >> ${out('a')}`
    const sink = hookedSink(directory, [sh('reload', 'AfterPublish', script)])
    writeFileSync(out('wait'), '')
    await restore(sink, { a: '5' }, 5)
    await eventually(() => expect(lines('pwd')).toEqual([publishedTree(root)]))
    for (let revision = 6; revision <= 40; revision++) await apply(sink, { a: String(revision) }, revision)
    unlinkSync(out('wait'))
    await eventually(() => expect(lines('a').join()).toBe('540'))
  })

  test('a failed one is tried again for the same state, and counted as failed until it succeeds', async () => {
    const { directory, out, lines } = place()
    const script = `echo "$MIRROR_REVISION" >> ${out('runs')}; [ "$(wc -l < ${out('runs')})" -ge 3 ]`
    const sink = hookedSink(directory, [sh('reload', 'AfterPublish', script)])
    await restore(sink, { a: '1' }, 5)
    await eventually(() => expect(results).toHaveLength(3), { timeoutMs: 30_000 })
    expect(lines('runs')).toEqual(['5', '5', '5'])
    expect(results).toEqual([
      ['reload', 'it ended with 1'],
      ['reload', 'it ended with 1'],
      ['reload', undefined],
    ])
  })

  test('without tries left it waits for the next publish', async () => {
    const { directory, out, lines } = place()
    const script = `echo "$MIRROR_FROM_REVISION $MIRROR_REVISION" >> ${out('runs')}; [ -e ${out('ok')} ]`
    const sink = hookedSink(directory, [sh('reload', 'AfterPublish', script, { retries: 0 })])
    await restore(sink, { a: '1' }, 5)
    await eventually(() => expect(results).toHaveLength(1))
    writeFileSync(out('ok'), '')
    await apply(sink, { a: '2' }, 6)
    await eventually(() => expect(lines('runs')).toEqual(['0 5', '0 6']))
  })

  test('what is published during its last try gets tries of its own', async () => {
    const { directory, out, lines } = place()
    const script = `echo "$MIRROR_REVISION" >> ${out('runs')}; while [ -e ${out('wait')} ]; do sleep 0.01; done; [ "$MIRROR_REVISION" != 5 ]`
    const sink = hookedSink(directory, [sh('reload', 'AfterPublish', script, { retries: 0 })])
    writeFileSync(out('wait'), '')
    await restore(sink, { a: '1' }, 5)
    await eventually(() => expect(lines('runs')).toEqual(['5']))
    await apply(sink, { a: '2' }, 6)
    unlinkSync(out('wait'))
    await eventually(() => expect(lines('runs')).toEqual(['5', '6']))
    await sink.told?.({ signal: new AbortController().signal })
  })

  test('what it did not hear of before the end is told after the next start, what it heard of is not', async () => {
    const { directory, out, lines } = place()
    const script = `[ -e ${out('stuck')} ] && sleep 1000; echo "$MIRROR_FROM_REVISION $MIRROR_REVISION" >> ${out('runs')}`
    const hooks = [sh('reload', 'AfterPublish', script)]
    const first = hookedSink(directory, hooks)
    await restore(first, { a: '1' }, 5)
    await eventually(() => expect(results).toHaveLength(1))
    writeFileSync(out('stuck'), '')
    await apply(first, { a: '2' }, 6)
    await first.close()
    unlinkSync(out('stuck'))

    const second = hookedSink(directory, hooks)
    await second.open(options)
    await eventually(() => expect(lines('runs')).toEqual(['0 5', '5 6']))
    await eventually(() => expect(results).toHaveLength(2))
    await second.close()

    const third = hookedSink(directory, hooks)
    await third.open(options)
    await apply(third, { a: '3' }, 7)
    await eventually(() => expect(lines('runs')).toEqual(['0 5', '5 6', '6 7']))
  })

  test('InPlace runs it in the root', async () => {
    const { directory, root, out, lines, read } = place()
    const script = `pwd > ${out('pwd')}; cat "$MIRROR_CHANGES" > ${out('changes')}; echo "$MIRROR_REVISION" >> ${out('runs')}`
    const sink = hookedSink(directory, [sh('reload', 'AfterPublish', script)], { layout: 'InPlace' })
    await restore(sink, { a: '1', 'b/c': '2' }, 5)
    await eventually(() => expect(lines('runs')).toEqual(['5']))
    expect([read('pwd'), read('changes')]).toEqual([`${root}\n`, 'a\nb/c\n'])
  })
})
