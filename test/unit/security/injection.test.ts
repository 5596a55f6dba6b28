import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { printableKey } from '../../../src/targets/files/key-path.ts'
import { captureLog } from '../observe/capture-log.ts'
import { mirrorStatus } from '../server/mirror-status-sample.ts'
import { REPORT, runningServer } from '../server/running-server.ts'

/** What forges lines, steers terminals, turns text around or ends a string of one of our formats. */
const HOSTILE = [
  'a\n{"level":"info","msg":"forged"}',
  'a\r\nSet-Cookie: forged=1\r\n\r\nforged body',
  '\u001b[2J\u001b]0;forged\u0007',
  '\u009b31m',
  'a\u202eb\u2066c\u2069',
  'a\u2028b\u2029c',
  'a\u0085b\u0000c',
  '"} 1\nforged{mirror="',
  '\\"\\n',
  '</script><script>forged()</script>',
  '__proto__',
  'constructor',
  '\ud800',
]
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const STEERS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/

const hostile = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary' }), fc.string())

describe('a hostile key, endpoint or error text', () => {
  test.each(['json', 'text'] as const)(
    'is one %s log line that steers no terminal, whatever field it stands in',
    (format) => {
      fc.assert(
        fc.property(hostile, (text) => {
          const { logger, lines } = captureLog({ level: 'debug', format })
          logger.warn({ mirror: 'app', key: text, examples: [{ key: text, reason: text }] }, 'message')
          const failure = Object.assign(new Error(text), { code: text, hint: text, stack: undefined })
          logger.error({ mirror: 'app', err: failure }, 'message')
          expect(lines).toHaveLength(2)
          for (const line of lines) {
            expect(line.indexOf('\n')).toBe(line.length - 1)
            expect(line).not.toMatch(STEERS)
          }
          if (format === 'json')
            expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', msg: 'message', mirror: 'app' })
        }),
        { numRuns: 300 },
      )
    },
  )

  test('is escaped in the examples of keys without a path', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
        expect(printableKey(Buffer.from(text))).not.toMatch(/[\u0000-\u001f\u007f]/)
      }),
    )
  })

  test('adds no line and no series to /metrics, also as a label', async () => {
    for (const text of HOSTILE) {
      const metrics = createMetrics()
      metrics.declareMirror(text)
      const page = await metrics.render()
      for (const line of page.split('\n').filter((each) => each !== '')) {
        expect(line).toMatch(
          /^(# (HELP|TYPE) [a-z_]+ |[a-z_]+(\{[a-z_]+="(?:[^"\\]|\\[\\n"])*"(,[a-z_]+="(?:[^"\\]|\\[\\n"])*")*\})? -?[\d.eE+-]+|[a-z_]+.* (NaN|[+-]Inf)$)/,
        )
        expect(line).not.toMatch(/^forged/)
      }
    }
  })

  test.each(HOSTILE)('reads the same from /status and changes nothing else of the answer (%#)', async (text) => {
    const lastError = { reason: 'Unavailable', message: text, hint: text, atMs: 0, sinceMs: 0 }
    const status = () => ({
      ...REPORT,
      mirrors: [
        mirrorStatus({ prefix: text, lastError, keyErrors: { count: 1, examples: [{ key: text, reason: text }] } }),
      ],
    })
    const { get, health } = await runningServer({ status })
    const { headers, body } = await get('/status')
    expect(headers.get('set-cookie')).toBeNull()
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    const wellFormed = text.toWellFormed()
    expect(body).not.toMatch(STEERS)
    const [mirror] = JSON.parse(body).mirrors
    expect([mirror.prefix, mirror.lastError.message].map((part: string) => part.toWellFormed())).toEqual([
      wellFormed,
      wellFormed,
    ])
    health.add({ name: 'app', kind: 'ready', check: () => ({ ok: false, message: text }) })
    const probe = await get('/readyz?verbose')
    expect(probe.status).toBe(503)
    expect(probe.body.split('\n')).toHaveLength(3)
    expect(probe.body).not.toMatch(STEERS)
  })
})
