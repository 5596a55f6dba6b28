import { afterEach, expect, test } from 'vitest'
import type { RenderJob } from '../../../../src/targets/render/render-job.ts'
import { RenderPool, type RenderPoolOptions } from '../../../../src/targets/render/render-pool.ts'
import { systemClock } from '../../../../src/util/clock.ts'

const never = new AbortController().signal
const opened: RenderPool[] = []
afterEach(() => {
  for (const pool of opened.splice(0)) pool.close()
})

function poolOf(options: Partial<RenderPoolOptions> = {}): RenderPool {
  const pool = new RenderPool({ clock: systemClock, ...options })
  opened.push(pool)
  return pool
}

const manifests = (template: string, value = 'x', form: 'Text' | 'Yaml' = 'Text'): RenderJob => ({
  kind: 'manifests',
  template,
  context: { name: 'one' },
  keys: [{ facts: { key: 'k' }, value: new Uint8Array(Buffer.from(value)) }],
  isGroup: false,
  form,
})
const LOOP = manifests('{% for i in (1..100000) %}{% for j in (1..100000) %}{% endfor %}{% endfor %}')
const EATS = manifests(
  '{% assign s = "0123456789abcdef" %}{% for i in (1..24) %}{% assign s = s | append: s | upcase | downcase %}{% assign l = s | split: "" %}{% endfor %}{{ l | size }}',
)
/** Lists of lists of …: a few bytes that are a billion. */
const BOMB = Array.from(
  { length: 10 },
  (_, level) => `l${level}: &l${level} [${Array(9).fill(level === 0 ? 'x' : `*l${level - 1}`)}]`,
).join('\n')

async function textOf(pool: RenderPool, job: RenderJob, tenant = 'a'): Promise<string> {
  const { bytes, fault } = await pool.render(tenant, job, never)
  return bytes === undefined ? `fault: ${fault.state}` : Buffer.from(bytes).toString()
}

test('RenderPool gives manifests as JSON, and a document as it is made without pool', async () => {
  const pool = poolOf()
  expect(await textOf(pool, manifests('a: {{ value }}\nb: {{ name }}\n---\nc: 2024-01-01'))).toBe(
    '[{"a":"x","b":"one"},{"c":"2024-01-01"}]',
  )
  const options = { file: 'out', syntax: 'Json', keys: ['**'], structure: 'Nested', values: [] } as const
  const entries = [['a/b', new Uint8Array(Buffer.from('1'))]] as const
  expect(JSON.parse(await textOf(pool, { kind: 'document', options, entries }))).toEqual({ a: { b: '1' } })
})

test.each([
  ['no YAML', manifests('a: 1\n{{ value }}: {', 'hunter2'), 'gives no YAML: line 2 of what it gives'],
  ['a value that is no YAML', manifests('x', 'hunter2: {', 'Yaml'), 'is not YAML'],
  ['no template', manifests('\n{{ x'), 'line 2: '],
  ['a value that is a bomb', manifests('x', BOMB, 'Yaml'), 'is nested too deep or too large'],
])('of %s there is a fault without the value', async (_what, job, state) => {
  const text = await textOf(poolOf(), job)
  expect(text).toContain(`fault: ${state}`)
  expect(text).not.toContain('hunter2')
})

test.each([
  ['loops', LOOP, 'takes longer than 1 s'],
  ['eats memory', EATS, 'needs more than 64 MiB'],
  ['is a bomb', manifests(BOMB), ''],
])('what %s is stopped, and the next one is rendered', async (_what, job, state) => {
  const pool = poolOf({ timeMs: job === EATS ? 50_000 : 1000, memoryMiB: 64 })
  const answer = await pool.render('a', job, never)
  expect(answer).toMatchObject({ isStopped: true, fault: { state: expect.stringContaining(state) } })
  expect(await textOf(pool, manifests('[]'))).toBe('[[]]')
})

test('a tenant that loops has one process, whatever it asks for: the other is for the others', async () => {
  const pool = poolOf({ timeMs: 60_000, waitFactor: 4 })
  const stop = new AbortController()
  const loops = Array.from({ length: 5 }, () => pool.render('hostile', LOOP, stop.signal))
  const ended = Promise.allSettled(loops)
  for (let count = 0; count < 20; count++) expect(await textOf(pool, manifests('ok'), 'honest')).toBe('["ok"]')
  stop.abort(new Error('enough'))
  for (const result of await ended) expect(result).toMatchObject({ status: 'rejected', reason: stop.signal.reason })
})

test('who waits after a long rendering lets another tenant go first', async () => {
  const pool = poolOf({ processes: 1, timeMs: 500, waitFactor: 1000 })
  const order: string[] = []
  const note = (name: string, job: RenderJob) => pool.render(name, job, never).then(() => order.push(name))
  const first = note('hostile', LOOP)
  void note('hostile', manifests('ok')).catch(() => undefined)
  await Promise.all([first, note('honest', manifests('ok'))])
  expect(order).toEqual(['hostile', 'honest'])
})

test('whoever gives up hears of it at once, in the queue and while it is rendered', async () => {
  const pool = poolOf({ processes: 1, timeMs: 60_000 })
  const stop = new AbortController()
  const results = Promise.allSettled(['a', 'a', 'b'].map((tenant) => pool.render(tenant, LOOP, stop.signal)))
  stop.abort(new Error('enough'))
  expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  const closed = pool.render('c', LOOP, never)
  pool.close()
  await expect(closed).rejects.toThrow('rendering has ended')
  await expect(pool.render('c', LOOP, never)).rejects.toThrow('rendering has ended')
})
