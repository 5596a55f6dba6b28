import { expect, test } from 'vitest'
import { openClient } from '../../support/scripted-client.ts'
import { startSilentServer } from '../../support/scripted-silent-server.ts'
import { startScriptedServer } from '../../support/scripted-watch-server.ts'
import { eventually } from '../../support/wait.ts'

// In a file of its own: connections that other tests still close would be counted.

const key = Buffer.from('/k')
const never = { signal: new AbortController().signal }

test('EtcdClient.close leaves no connection and no timer behind, not even where the server never answered', async () => {
  await using server = await startScriptedServer()
  await using silent = await startSilentServer()
  server.onCall = (call) => {
    if (call.method === 'range') call.reply()
  }
  const client = await openClient(server.endpoint)
  const stuck = await openClient(silent.endpoint, { dialTimeoutMs: 60_000 })
  await client.unary('range', { key }, never)
  const duplex = await client.watch(never)
  duplex.create({ key, startRevision: 1 })
  await server.nextStream()
  const pending = [
    client.unary('put', { key, value: key }, never),
    stuck.unary('range', { key }, never),
    Array.fromAsync(duplex.responses),
  ]
  await eventually(() => expect([server.calls.length, silent.connectionCount]).toEqual([2, 1]))
  expect(handles()).toEqual(expect.arrayContaining(['TCPSocketWrap', 'Timeout']))
  client.close()
  stuck.close()
  await Promise.allSettled(pending)
  await eventually(() => expect(handles()).toEqual([]))
  expect(silent.connectionCount).toBe(0)
})

test('EtcdClient leaves no connection behind at a frozen server that it tries again and again', async () => {
  await using silent = await startSilentServer()
  // With 0 even the TCP connection is still on its way when it is given up.
  for (const dialTimeoutMs of [0, 0, 0, 30, 30, 30]) {
    using client = await openClient(silent.endpoint, { dialTimeoutMs })
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(client.unary('range', { key }, never)).rejects.toMatchObject({ code: 'Unavailable' })
    }
  }
  await eventually(() => expect(silent.connectionCount).toBe(0))
})

/** What keeps this process alive. */
function handles(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'Timeout')
}
