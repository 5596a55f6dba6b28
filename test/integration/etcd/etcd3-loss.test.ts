import { describe, expect, onTestFinished, test } from 'vitest'
import { watchRevisions } from '../../../src/replication/revisions.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { watchWithEtcd3 } from '../../support/etcd3-watch.ts'
import { openClient } from '../../support/scripted-client.ts'
import { Collector } from '../../support/scripted-collector.ts'
import { ScriptedWriter } from '../../support/scripted-writer.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'

const BACKLOG = 5000
const CUT_AFTER_BYTES = 1_500_000

// docs/adr/0001: why the watch loop is our own. Should etcd3 learn to resume one day, this test says so by failing.
describe.each(['3.4', '3.6'] as const)('one cut in the middle of a catch-up on etcd %s', (version) => {
  test('loses events with the watcher of etcd3, without an error, and none with watchRevisions', async () => {
    await using etcd = await startEtcd({ version })
    using direct = await openClient(`127.0.0.1:${etcd.clientPort}`)
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const writer = new ScriptedWriter(direct, { prefix: '/p/', seed: 1, maxOps: 1, valueBytes: 700 })
    await writer.write(1, stop.signal)
    const first = writer.revision
    await writer.write(BACKLOG - 1, stop.signal)

    await using theirProxy = await startTcpProxy(etcd.clientPort)
    await using ourProxy = await startTcpProxy(etcd.clientPort)
    const cuts = [theirProxy, ourProxy].map((proxy) => proxy.cutAfterBytes(CUT_AFTER_BYTES))
    await using theirs = await watchWithEtcd3(theirProxy.endpoint, '/p/', first)
    using client = await openClient(`127.0.0.1:${ourProxy.port}`)
    const ours = new Collector(
      watchRevisions(client, Buffer.from('/p/'), first - 1, { signal: stop.signal, prove: async () => {} }),
    )
    await Promise.all(cuts)
    await writer.write(1, stop.signal)
    await eventually(() => expect(theirs.revisions.at(-1)).toBe(writer.revision))
    await ours.reached(writer.revision)

    expect(ours.log).toEqual(writer.log)
    const seen = new Set(theirs.revisions)
    const lost = writer.log.filter((line) => !seen.has(Number.parseInt(line, 10))).length
    console.info(`etcd ${version}: etcd3 lost ${lost} of ${writer.log.length} events, watchRevisions 0`)
    expect(lost).toBeGreaterThan(0)
    expect(theirs.errors).toEqual([])
    expect(theirs.disconnects).toBeGreaterThan(0)
  })
})
