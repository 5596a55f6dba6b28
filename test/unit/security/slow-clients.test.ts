import { once } from 'node:events'
import { expect, test } from 'vitest'
import { rawConnection, runningServer } from '../server/running-server.ts'

test('1,000 clients that stop in the middle of their headers hold up no probe, and are cut', async () => {
  const { port, get } = await runningServer({ requestTimeoutMs: 1000 })
  const slow = Array.from({ length: 1000 }, () => rawConnection(port, 'GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: '))
  await Promise.all(slow.map(({ socket }) => once(socket, 'connect')))
  for (let probe = 0; probe < 10; probe++) expect((await get('/livez')).status).toBe(200)
  const answers = await Promise.all(slow.map(({ answer }) => answer.catch(() => '')))
  for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1\.1 408 |$)/)
  expect((await get('/livez')).status).toBe(200)
})
