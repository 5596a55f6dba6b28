import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'

import { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'
import { captureLog } from './capture-log.ts'

const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

describe('createLogger, json', () => {
  test('writes one object a line with the level as a word, ISO time, the constant message and the fields', () => {
    const { logger, lines, records } = captureLog()
    logger.info({ mirror: 'app', revision: 17 }, 'published')
    expect(lines).toHaveLength(1)
    expect(lines[0]?.endsWith('}\n')).toBe(true)
    const { time, ...rest } = records()[0] ?? {}
    expect(rest).toEqual({ level: 'info', mirror: 'app', revision: 17, msg: 'published' })
    expect(new Date(String(time)).toISOString()).toBe(time)
  })

  test('says nothing below its level', () => {
    const { logger, records } = captureLog({ level: 'warn' })
    logger.debug({}, 'a')
    logger.info({}, 'b')
    logger.warn({}, 'c')
    logger.error({}, 'd')
    expect(records().map(({ msg }) => msg)).toEqual(['c', 'd'])
  })

  test('prints an error as code, message and hint, without stack and without its cause', () => {
    const { logger, lines, records } = captureLog()
    const cause = new Error('canary-value')
    const err = new EtcdMirrorError('Unavailable', 'Cannot reach etcd: refused', true, { cause, hint: 'Start it.' })
    logger.warn({ err }, 'retrying')
    expect(records()[0]?.err).toEqual({ code: 'Unavailable', message: 'Cannot reach etcd: refused', hint: 'Start it.' })
    expect(lines[0]).not.toContain('canary-value')
  })

  test('prints the stack at level debug', () => {
    const { logger, records } = captureLog({ level: 'debug' })
    logger.warn({ err: new TypeError('broken') }, 'retrying')
    expect(records()[0]?.err).toMatchObject({ code: 'TypeError', stack: expect.stringContaining('logger.test.ts') })
  })

  test('prints neither bytes nor a thrown value that is no error, and ids as decimal strings', () => {
    const { logger, lines, records } = captureLog()
    logger.info({ value: Buffer.from('canary-value'), err: 'canary-value', clusterId: 2n ** 63n }, 'odd')
    expect(lines[0]).not.toContain('canary')
    expect(lines[0]).not.toContain('99,97,110')
    expect(records()[0]).toMatchObject({ value: '<12 bytes>', clusterId: '9223372036854775808' })
  })

  test('keeps one record one line and free of control characters, whatever a field holds, and loses nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (hostile) => {
        const { logger, lines, records } = captureLog()
        logger.info({ key: hostile }, 'seen')
        expect(lines).toHaveLength(1)
        expect(lines[0]?.slice(0, -1)).not.toMatch(CONTROL)
        expect(records()[0]?.key).toBe(hostile)
      }),
      { examples: [['\n{"level":"error"}'], ['\u001b[2J\u009b31m\u007f'], ['\u2028\u202e']] },
    )
  })
})

describe('createLogger, text', () => {
  test('writes one readable line: time of day, level, message, fields', () => {
    const { logger, lines } = captureLog({ format: 'text' })
    logger.info({ mirror: 'app', revision: 17, target: { root: '/mirror/app' }, gone: undefined }, 'published')
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d INFO {2}published mirror=app revision=17 target=\{"root":"\/mirror\/app"\}\n$/,
    )
  })

  test('quotes what could be mistaken for another field and puts the error after the fields', () => {
    const { logger, lines } = captureLog({ format: 'text' })
    const err = new EtcdMirrorError('Unavailable', 'Cannot reach etcd: refused', true, { hint: 'Start it.' })
    logger.error({ key: 'a level=info', empty: '', err }, 'lost')
    expect(lines[0]?.slice(9)).toBe(
      'ERROR lost key="a level=info" empty="" err="Cannot reach etcd: refused" code=Unavailable hint="Start it."\n',
    )
  })

  test('puts a stack on indented lines at level debug', () => {
    const { logger, lines } = captureLog({ format: 'text', level: 'debug' })
    logger.error({ err: new Error('broken') }, 'lost')
    const [first, ...stack] = (lines[0] ?? '').trimEnd().split('\n')
    expect(first).toContain('err=broken')
    expect(stack.length).toBeGreaterThan(1)
    expect(stack.every((line) => line.startsWith('    '))).toBe(true)
  })

  test('keeps one record one line whatever a field or an error holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (hostile) => {
        const { logger, lines } = captureLog({ format: 'text' })
        logger.info({ key: hostile, err: new Error(hostile) }, 'seen')
        expect(lines[0]?.slice(0, -1)).not.toMatch(CONTROL)
      }),
      { examples: [['\n12:00:00 ERROR forged'], ['\u001b[2J\u009b31m\u007f'], ['\u2028\u202e']] },
    )
  })
})

describe('createLogger, standard error', () => {
  test('has taken every line when the process is killed right after', async () => {
    const { stdout, stderr, signal } = await run(
      `for (let i = 0; i < 5000; i += 1) logger.info({ i, filler: 'x'.repeat(100) }, 'line')
       process.kill(process.pid, 'SIGKILL')`,
    )
    expect([signal, stdout]).toEqual(['SIGKILL', ''])
    const lines = stderr.trimEnd().split('\n')
    expect(lines).toHaveLength(5000)
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ i: 4999 })
  })

  test('that cannot be written, as on a full disk, does not end the process', async () => {
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => closeSync(full))
    const work = `for (let i = 0; i < 5; i += 1) { logger.info({ i }, 'line'); await new Promise(setImmediate) }
      console.log('alive')`
    expect(await run(work, full)).toMatchObject({ code: 0, stdout: 'alive\n' })
  })
})

/** Runs `work` in a process of its own that has a `logger`. */
async function run(work: string, standardError: 'pipe' | number = 'pipe') {
  const logger = JSON.stringify(new URL('../../../src/observe/logger.ts', import.meta.url).href)
  const script = `import { createLogger } from ${logger}
    const logger = createLogger({ level: 'info', format: 'json' })
    ${work}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', standardError],
  })
  const [stdout, stderr, [code, signal]] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
    once(child, 'close'),
  ])
  return { stdout, stderr, code, signal }
}
