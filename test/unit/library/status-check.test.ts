import { expect, test } from 'vitest'
import type { AgentStatus } from '../../../src/library/agent-status.ts'
import { StatusCheck, type StatusCheckOptions } from '../../../src/library/status-check.ts'

function checkWith(options: StatusCheckOptions = {}) {
  const clock = { ms: 1_000_000, now: () => clock.ms }
  return { clock, check: new StatusCheck({ clock, ...options }) }
}

test('StatusCheck is Init before every plugin reported, and Ok without any once all are known', () => {
  const { check } = checkWith()
  expect(check.status().state).toBe('Init')
  check.afterInit()
  expect(check.status().state).toBe('Ok')
  check.register('etcd')
  expect(check.status().state).toBe('Init')
  check.report('etcd', 'Ok')
  expect(check.status().state).toBe('Ok')
})

test('StatusCheck: the state of the process is that of all plugins, not of the one that reported last (§9.14)', () => {
  const { check } = checkWith()
  const removal = check.register('a')
  check.register('b')
  check.report('a', 'Error', 'Unavailable')
  check.report('b', 'Ok')
  expect(check.status().state).toBe('Error')
  check.report('a', 'Init')
  expect(check.status().state).toBe('Init')
  removal()
  expect(check.status()).toMatchObject({ state: 'Ok', plugins: [{ name: 'b' }] })
})

test('StatusCheck: an Error of non-fatal plugins alone is Ok, and still shown', () => {
  const { check } = checkWith({ nonFatalPlugins: ['cache'] })
  for (const plugin of ['cache', 'etcd']) check.register(plugin)
  check.report('cache', 'Error', 'full')
  check.report('etcd', 'Ok')
  expect(check.status().state).toBe('Ok')
  expect(check.probe('readiness')).toMatchObject({
    statusCode: 200,
    body: { NonFatalPlugins: ['cache'], PluginStatus: { cache: { state: 2, error: 'full' } } },
  })
  check.report('etcd', 'Error', 'Unavailable')
  expect(check.probe('liveness').statusCode).toBe(500)
})

test('StatusCheck dates a change by state and error text, and tells of it once', () => {
  const seen: AgentStatus[] = []
  const { check, clock } = checkWith({ onChange: (status) => seen.push(status) })
  check.register('etcd')
  const at = (ms: number, ...report: Parameters<StatusCheck['report']>) => {
    clock.ms = ms
    check.report(...report)
    const [plugin] = check.status().plugins
    return [plugin?.lastChange.getTime(), plugin?.lastUpdate.getTime(), check.status().lastChange.getTime()]
  }
  expect(at(2_000_000, 'etcd', 'Error', 'one')).toEqual([2_000_000, 2_000_000, 2_000_000])
  expect(at(3_000_000, 'etcd', 'Error', 'one')).toEqual([2_000_000, 3_000_000, 2_000_000])
  expect(at(4_000_000, 'etcd', 'Error', 'two')).toEqual([4_000_000, 4_000_000, 2_000_000])
  expect(at(5_000_000, 'etcd', 'Ok')).toEqual([5_000_000, 5_000_000, 5_000_000])
  expect(seen.map(({ plugins }) => plugins[0]?.error)).toEqual(['one', 'two', undefined])
})

test('StatusCheck refuses a second plugin of one name and the report of an unknown one', () => {
  const { check } = checkWith()
  const removal = check.register('etcd')
  expect(() => check.register('etcd')).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
  expect(() => check.report('etdc', 'Ok')).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
  removal()
  check.register('etcd')
})

test("StatusCheck.probe answers with the seed's fields; what is zero is absent", () => {
  const { check, clock } = checkWith({ buildVersion: '1.2.3' })
  check.register('etcd')
  const times = { last_change: 1000, last_update: 1000 }
  const init = {
    build_version: '1.2.3',
    start_time: 1000,
    ...times,
    plugins: [{ name: 'etcd', ...times }],
    PluginStatus: { etcd: times },
    NonFatalPlugins: null,
  }
  expect(check.probe('liveness')).toEqual({ statusCode: 200, body: init })
  expect(check.probe('readiness')).toEqual({ statusCode: 500, body: { ...init, interface_stats: {} } })
  clock.ms = 0
  check.report('etcd', 'Ok')
  expect(check.probe('readiness')).toMatchObject({ statusCode: 200, body: { state: 1, plugins: [{ state: 1 }] } })
})
