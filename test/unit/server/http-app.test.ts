import { describe, expect, test } from 'vitest'
import type { PluginState } from '../../../src/library/agent-status.ts'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { failure, mirrorStatus } from './mirror-status-sample.ts'
import { HAS_IPV6, REPORT, runningServer, seedHealth } from './running-server.ts'

const ENDPOINTS = ['/livez', '/healthz', '/readyz', '/startupz', '/metrics', '/status', '/liveness', '/readiness']

const good = { ok: true, message: 'fine' }
const bad = { ok: false, message: 'nothing published yet' }

describe('probes', () => {
  test('say ok in one word, and list the checks with ?verbose', async () => {
    const { get, health } = await runningServer()
    health.add({ name: 'pump app', kind: 'live', check: () => good })
    health.add({ name: 'pump db', kind: 'live', check: () => good })
    expect(await get('/livez')).toMatchObject({ status: 200, body: 'ok' })
    expect((await get('/livez?verbose')).body).toBe('[+]pump app ok\n[+]pump db ok\nlivez check passed\n')
    expect((await get('/healthz?verbose=1')).body).toBe('[+]pump app ok\n[+]pump db ok\nhealthz check passed\n')
    expect((await get('/livez')).headers.get('content-type')).toBe('text/plain; charset=utf-8')
  })

  test.each([
    ['readyz', 'ready'],
    ['startupz', 'startup'],
    ['livez', 'live'],
  ] as const)('/%s answers 503 with every check as soon as one of its kind fails, and recovers', async (name, kind) => {
    const { get, health } = await runningServer()
    let result = bad
    health.add({ name: 'app', kind, check: () => good })
    health.add({ name: 'db', kind, check: () => result })
    const body = `[+]app ok\n[-]db failed: nothing published yet\n${name} check failed\n`
    expect(await get(`/${name}`)).toMatchObject({ status: 503, body })
    result = good
    expect(await get(`/${name}`)).toMatchObject({ status: 200, body: 'ok' })
  })

  test('look at checks of their own kind only', async () => {
    const { get, health } = await runningServer()
    health.add({ name: 'app', kind: 'ready', check: () => bad })
    health.add({ name: 'app', kind: 'startup', check: () => good })
    expect((await get('/livez')).status).toBe(200)
    expect((await get('/startupz')).status).toBe(200)
    expect((await get('/readyz')).status).toBe(503)
  })

  test('are negative for readiness and startup before any mirror is set up', async () => {
    const { get } = await runningServer()
    expect((await get('/livez')).status).toBe(200)
    for (const path of ['/readyz', '/startupz']) {
      expect(await get(path)).toMatchObject({ status: 503, body: expect.stringContaining('no mirror is set up yet') })
    }
  })

  test('keep one check one line', async () => {
    const { get, health } = await runningServer()
    health.add({ name: 'app', kind: 'ready', check: () => ({ ok: false, message: 'a\n[+]forged ok' }) })
    expect((await get('/readyz')).body).toBe('[-]app failed: a\\u000a[+]forged ok\nreadyz check failed\n')
  })
})

describe('/metrics', () => {
  test('is the page of the registry with its content type', async () => {
    const metrics = createMetrics()
    metrics.declareMirror('app')
    const { get } = await runningServer({ metrics })
    const { status, headers, body } = await get('/metrics')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(body).toContain('etcd_mirror_sync_total{mirror="app",result="success"} 0')
  })
})

describe('/status', () => {
  test('shows the periodic compaction with its last error', async () => {
    const lastError = { reason: 'PermissionDenied', message: 'Cannot', hint: undefined, atMs: 0 }
    const known = { phase: 'Denied' as const, periodMs: 7_200_000, compactedRevision: 7, lastCompactionMs: 1000 }
    const { get } = await runningServer({ status: () => ({ ...REPORT, compaction: { ...known, lastError } }) })
    expect(JSON.parse((await get('/status')).body).compaction).toEqual({
      phase: 'Denied',
      periodSeconds: 7200,
      compactedRevision: 7,
      lastCompactionAt: '1970-01-01T00:00:01.000Z',
      lastError: { reason: 'PermissionDenied', message: 'Cannot', hint: null, at: '1970-01-01T00:00:00.000Z' },
    })
  })

  test('shows mirrors with revision, lag, staleness, last error and the number of key errors', async () => {
    const keyErrors = { count: 2, examples: [{ key: '%00', reason: 'NUL' }] }
    const lastError = { ...failure('Unavailable'), hint: 'Start etcd.' }
    const mirrors = [mirrorStatus({ keyErrors, lastError })]
    const { get } = await runningServer({ status: () => ({ ...REPORT, mirrors }) })
    const { status, headers, body } = await get('/status')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(JSON.parse(body)).toEqual({
      version: '1.2.3',
      startedAt: '2026-01-02T03:04:00.000Z',
      config: {
        loadedAt: '2026-01-02T03:04:00.000Z',
        files: ['/etc/etcd-mirror/mirror.yaml'],
        usesAcceptedCopy: false,
        lastReload: null,
      },
      compaction: null,
      mirrors: [
        {
          name: 'app',
          prefix: '/config/app/',
          target: 'files /mirror/app',
          phase: 'Following',
          published: true,
          seeded: false,
          publishedRevision: 17,
          appliedRevision: 18,
          observedRevision: 20,
          lag: 2,
          epoch: 0,
          keys: 3,
          keyErrors: { count: 2, examples: [{ key: '%00', reason: 'NUL' }] },
          lastPublishedAt: '2026-01-02T03:03:59.000Z',
          snapshot: null,
          sourceConnected: true,
          serverVersion: '3.6.5',
          lastKnownEqualAt: '2026-01-02T03:04:05.000Z',
          lastVerifiedAt: '2026-01-02T03:04:00.000Z',
          stalenessSeconds: 1.5,
          maxStalenessSeconds: 0,
          lastError: {
            reason: 'Unavailable',
            message: 'Cannot reach etcd: refused',
            hint: 'Start etcd.',
            at: '2026-01-02T03:04:06.000Z',
          },
        },
      ],
    })
  })

  test('says null where nothing is known, and never a negative lag', async () => {
    const unknown = {
      serverVersion: undefined,
      lastKnownEqualMs: undefined,
      lastVerifiedMs: undefined,
      stalenessMs: undefined,
    }
    const mirrors = [mirrorStatus({ ...unknown, observedRevision: 0 })]
    const { get } = await runningServer({ status: () => ({ ...REPORT, mirrors }) })
    expect(JSON.parse((await get('/status')).body).mirrors[0]).toMatchObject({
      lag: 0,
      serverVersion: null,
      lastKnownEqualAt: null,
      lastVerifiedAt: null,
      stalenessSeconds: null,
      lastError: null,
    })
  })

  test.each([
    ['127.0.0.1', true],
    ['localhost', true],
    [HAS_IPV6 ? '::1' : '127.0.0.2', true],
    ['0.0.0.0', false],
    ['', false],
  ])('bound on "%s" names keys: %s', async (host, shown) => {
    const key = 'canary-key'
    const mirrors = [
      mirrorStatus({
        keyErrors: { count: 1, examples: [{ key, reason: 'too long' }] },
        lastError: { ...failure('TargetFull', `Cannot write /mirror/app/${key}: full`), hint: `Remove ${key}` },
      }),
    ]
    const { server } = await runningServer({
      bind: { host, port: 0 },
      status: () => ({ ...REPORT, mirrors }),
    })
    const authority = { '::1': '[::1]', '127.0.0.2': '127.0.0.2' }[server.address.host] ?? '127.0.0.1'
    const body = await (await fetch(`http://${authority}:${server.address.port}/status`)).text()
    expect(body.includes(key)).toBe(shown)
    expect(JSON.parse(body).mirrors[0]).toMatchObject({ keyErrors: { count: 1 }, lastError: { reason: 'TargetFull' } })
  })

  test.each([
    'Unavailable',
    'LimitExceeded',
    'EmptyRefused',
    'DeletesRefused',
    'SeedUnusable',
    'HookVetoed',
    'HookFailed',
  ])('off loopback still tells what is wrong when that names no key: %s', async (reason) => {
    const mirrors = [mirrorStatus({ lastError: failure(reason) })]
    const { get } = await runningServer({
      bind: { host: '', port: 0 },
      status: () => ({ ...REPORT, mirrors }),
    })
    expect((await get('/status')).body).toContain('Cannot reach etcd: refused')
  })
})

describe("the seed's probes", () => {
  test.each<[PluginState, number, number, object]>([
    ['Init', 200, 500, {}],
    ['Ok', 200, 200, { state: 1 }],
    ['Error', 500, 500, { state: 2, error: 'Unavailable' }],
  ])('in state %s: liveness %i, readiness %i, and the JSON of cn-infra', async (state, live, ready, plugin) => {
    const error = state === 'Error' ? 'Unavailable' : undefined
    const { get } = await runningServer({ seedHealth: () => seedHealth(state, error) })
    const times = { last_change: 1767323045, last_update: 1767323049 }
    const { error: _, ...agent } = plugin as { error?: string }
    const flat = {
      build_version: '1.2.3',
      ...agent,
      start_time: 1767323040,
      ...times,
      plugins: [{ name: 'etcd', ...plugin, ...times }],
      PluginStatus: { etcd: { ...plugin, ...times } },
      NonFatalPlugins: null,
    }
    const liveness = await get('/liveness')
    expect(liveness.status).toBe(live)
    expect(JSON.parse(liveness.body)).toEqual(flat)
    const readiness = await get('/readiness')
    expect(readiness.status).toBe(ready)
    expect(JSON.parse(readiness.body)).toEqual({ ...flat, interface_stats: {} })
  })
})

describe('every endpoint', () => {
  test('answers GET and HEAD alike, HEAD without a body', async () => {
    const { get, health } = await runningServer()
    for (const kind of ['ready', 'startup'] as const) health.add({ name: 'app', kind, check: () => good })
    for (const path of [...ENDPOINTS, '/']) {
      expect((await get(path)).status, path).toBe(200)
      expect(await get(path, { method: 'HEAD' }), path).toMatchObject({ status: 200, body: '' })
    }
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'])(
    'refuses %s with 405 and Allow',
    async (method) => {
      const { get } = await runningServer()
      for (const path of [...ENDPOINTS, '/', '/nowhere']) {
        const { status, headers } = await get(path, { method })
        expect([status, headers.get('allow')], path).toEqual([405, 'GET, HEAD'])
      }
    },
  )

  test('carries headers against sniffing and caching and does not say what serves it', async () => {
    const { get } = await runningServer()
    const paths = [...ENDPOINTS, '/', '/nowhere']
    for (const [path, method] of [...paths.map((path) => [path, 'GET'] as const), ['/status', 'POST'] as const]) {
      const { headers } = await get(path, { method })
      expect(headers.get('x-content-type-options'), path).toBe('nosniff')
      expect(headers.get('cache-control'), path).toBe('no-store')
      for (const name of ['x-powered-by', 'etag', 'server']) expect(headers.has(name), `${path} ${name}`).toBe(false)
    }
  })
})

test('an unknown path is 404 and lists the endpoints without echoing the path', async () => {
  const { get } = await runningServer()
  const { status, body } = await get('/canary<script>')
  expect(status).toBe(404)
  for (const endpoint of ENDPOINTS) expect(body).toContain(endpoint)
  expect(body).not.toContain('canary')
})

test('a URL that is too long is 414', async () => {
  const { get } = await runningServer()
  expect((await get(`/livez?${'x'.repeat(1100)}`)).status).toBe(414)
})

test('a source that throws is 500 without a word about why, which the log has', async () => {
  const { get, log } = await runningServer({
    status: () => {
      throw new Error('canary')
    },
  })
  const { status, body } = await get('/status')
  expect([status, body]).toEqual([500, 'Internal error: see the log.\n'])
  expect(log.records().at(-1)).toMatchObject({ level: 'error', path: '/status', err: { message: 'canary' } })
})
