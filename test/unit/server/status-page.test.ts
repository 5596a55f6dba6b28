import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { failure, mirrorStatus } from './mirror-status-sample.ts'
import { REPORT, runningServer } from './running-server.ts'

const CHROMIUM = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

async function pageOf(mirrors: readonly ReturnType<typeof mirrorStatus>[], host = '127.0.0.1') {
  const { server } = await runningServer({ bind: { host, port: 0 }, status: () => ({ ...REPORT, mirrors }) })
  return await fetch(`http://127.0.0.1:${server.address.port}/status`, { headers: { Accept: CHROMIUM } })
}

test('/status is a page for a browser: mirror, state, revision, lag, keys and last error with its hint', async () => {
  const lastError = { ...failure('Unavailable'), hint: 'Start etcd.' }
  const response = await pageOf([mirrorStatus({ phase: 'Connecting', lastError }), mirrorStatus({ name: 'web' })])
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('vary')).toContain('Accept')
  const page = await response.text()
  expect(page).toContain('app<small>/config/app/ → files /mirror/app</small>')
  expect(page).toContain('<td data-name="State"><span class="warn">Connecting</span></td>')
  expect(page).toContain('<td data-name="State"><span class="good">Following</span></td>')
  expect(page).toContain('<td data-name="Revision">17</td><td data-name="Lag">2</td><td data-name="Keys">3</td>')
  expect(page).toContain('Unavailable: Cannot reach etcd: refused<small>Start etcd.</small>')
})

test.each(['*/*', 'application/json', 'application/json, text/html;q=0.5'])(
  '/status stays JSON for %s',
  async (Accept) => {
    const { get } = await runningServer()
    const { headers, body } = await get('/status', { headers: { Accept } })
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(JSON.parse(body)).toHaveProperty('mirrors', [])
  },
)

test('the page of /status runs and steers nothing that stands in a name or an error', async () => {
  const message = `<script>alert(1)</script> "quoted" & \u202e\u001b[31m`
  const page = await (
    await pageOf([mirrorStatus({ prefix: '/a<b>/', lastError: failure('Unavailable', message) })])
  ).text()
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &quot;quoted&quot; &amp; \\u202e\\u001b[31m')
  expect(page).toContain('/a&lt;b&gt;/')
  expect(page).not.toContain('<script')
})

test('the page of /status may load nothing but its own style', async () => {
  const response = await pageOf([])
  const style = /<style>(.*?)<\/style>/s.exec(await response.text())?.[1] ?? ''
  const hash = createHash('sha256').update(style).digest('base64')
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain(`style-src 'sha256-${hash}'`)
})

test('the page of /status names no key off loopback', async () => {
  const lastError = failure('TargetFull', 'Cannot write /mirror/app/canary-key: full')
  expect(await (await pageOf([mirrorStatus({ lastError })])).text()).toContain('canary-key')
  expect(await (await pageOf([mirrorStatus({ lastError })], '')).text()).not.toContain('canary-key')
})
