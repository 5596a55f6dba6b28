import { expect, test } from 'vitest'
import { etcdserverpb as pb } from '../../../src/etcd/generated/rpc.js'
import { EtcdConnection } from '../../../src/library/etcd-connection.ts'
import { headerAt, startScriptedServer } from '../../support/scripted-watch-server.ts'

// The server reports by itself how far a watch is, every ten minutes: too rare for a test on a real one.
test.each([
  { version: '3.6.0', resumesAt: 50 },
  { version: '3.4.23', resumesAt: 5 },
])(
  'a watch that rests goes on from what a server of $version reports, if its word counts',
  async ({ version, resumesAt }) => {
    await using server = await startScriptedServer()
    let head = 5
    server.onCall = ({ method, reply }) =>
      reply(
        method === 'status'
          ? pb.StatusResponse.encode({ header: headerAt(head), version }).finish()
          : pb.RangeResponse.encode({ header: headerAt(head) }).finish(),
      )
    await using connection = await EtcdConnection.open({ endpoints: [server.endpoint] })
    const keys: string[] = []
    const iterating = (async () => {
      for await (const event of connection.watch('/rests/')) {
        if (event.type === 'resync') throw new Error('nothing is missing')
        if (keys.push(event.key.toString()) === 2) break
      }
    })()
    const first = await server.nextStream()
    expect((await first.created).startRevision).toBe(5)
    first.send({ created: true, revision: 5 })
    head = 60
    first.send({ revision: 50 })
    // Whatever comes after the report, so that it is certain that the report was taken.
    await expect.poll(() => server.calls.some(({ method }) => method === 'status')).toBe(true)
    first.fail()
    const second = await server.nextStream()
    expect((await second.created).startRevision).toBe(resumesAt)
    second.send({ created: true, revision: 60 })
    second.send({ revision: 61, events: [{ key: '/rests/a', revision: 61, value: 'x' }] })
    second.send({ revision: 62, events: [{ key: '/rests/b', revision: 62, value: 'x' }] })
    await iterating
    expect(keys).toEqual(['/rests/a', '/rests/b'])
  },
)
