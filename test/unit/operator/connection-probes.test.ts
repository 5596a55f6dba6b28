import { queryObjects } from 'node:v8'
import { expect, test } from 'vitest'
import type { CallOptions } from '../../../src/etcd/rpc.ts'
import { UnavailableError } from '../../../src/etcd/unavailable-error.ts'
import { ConnectionProbes } from '../../../src/operator/connection-probes.ts'
import type { SharedConnection } from '../../../src/operator/shared-connection.ts'
import { abortable } from '../../../src/util/abortable.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { Semaphore } from '../../../src/util/semaphore.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

const ANSWERS: Readonly<Record<string, object>> = {
  status: { version: '3.6.1', header: { clusterId: 255n } },
  memberList: { members: [{}, {}, {}] },
}

/** Connections to an etcd that answers, and to one that never does. */
class Rig implements AsyncDisposable {
  readonly clock = new ManualClock()
  readonly called: string[] = []
  readonly probes = new ConnectionProbes({
    clock: this.clock,
    logger: silentLogger,
    onChange: (key) => this.called.push(key),
  })
  /** How many are being asked. */
  asked = 0

  connection(isThere: boolean): SharedConnection {
    const unary = (method: string, _request: object, { signal }: { signal: AbortSignal }) =>
      isThere ? ANSWERS[method] : abortable(new Promise(() => undefined), signal)
    const lease = async () => {
      this.asked += 1
      return { unary }
    }
    const release = () => {
      this.asked -= 1
    }
    return { etcd: { operationTimeoutMs: 60_000 }, lease, release } as unknown as SharedConnection
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.probes.close()
  }
}

const FOUND = { version: '3.6.1', clusterId: 'ff', members: 3 }

test('what etcd says of itself is known, and asked for again', async () => {
  await using rig = new Rig()
  const { probes, clock, called } = rig
  probes.use('a/b', rig.connection(true))
  expect(probes.get('a/b')).toBeUndefined()
  await eventually(async () => expect(called).toEqual(['a/b']))
  expect(probes.get('a/b')).toEqual(FOUND)
  clock.advance(40_000)
  await eventually(async () => expect(called).toEqual(['a/b', 'a/b']))
  probes.use('a/b', undefined)
  expect(probes.get('a/b')).toBeUndefined()
})

test('no number of dead etcds keeps another namespace waiting; each has a few seconds', async () => {
  await using rig = new Rig()
  const { probes, clock } = rig
  for (let index = 0; index < 100; index++) probes.use(`bad/${index}`, rig.connection(false))
  probes.use('good/one', rig.connection(true))
  await eventually(async () => expect(probes.get('good/one')).toEqual(FOUND))
  expect(rig.asked).toBeLessThan(10)
  clock.advance(6000)
  await eventually(async () => expect(probes.get('bad/0')).toMatchObject({ error: { code: 'DeadlineExceeded' } }))
})

test('of all namespaces together some are asked at once; in the end none is', async () => {
  const rig = new Rig()
  for (let index = 0; index < 300; index++) rig.probes.use(`${index % 30}/${index}`, rig.connection(false))
  await eventually(async () => expect(rig.asked).toBe(64))
  await rig.probes.close()
  expect(rig.asked).toBe(0)
})

test('a member that hangs is given up by the limit of the call, upon which the client turns to the next', async () => {
  await using rig = new Rig()
  const { probes, clock } = rig
  const asked: string[] = []
  const members = ['hangs', 'answers']
  const unary = async (method: string, _request: object, { signal, timeoutMs = 60_000 }: CallOptions) => {
    asked.push(`${method} ${members[0]}`)
    if (members[0] === 'answers') return ANSWERS[method]
    await clock.sleep(timeoutMs, signal)
    members.shift()
    throw new UnavailableError('DeadlineExceeded', 'no answer in time')
  }
  const client = { lease: async () => ({ unary }), release: () => undefined, etcd: { operationTimeoutMs: 60_000 } }
  probes.use('a/b', client as unknown as SharedConnection)
  await eventually(async () => {
    clock.advance(1000)
    expect(probes.get('a/b')).toEqual(FOUND)
  })
  expect(asked).toEqual(['status hangs', 'status answers', 'memberList answers'])
})

test('nothing is left of namespaces whose connections are gone', async () => {
  const before = queryObjects(Semaphore)
  await using rig = new Rig()
  const keys = Array.from({ length: 100 }, (_, index) => `${index}/one`)
  for (const key of keys) rig.probes.use(key, rig.connection(true))
  await eventually(async () => expect(rig.called.length).toBe(100))
  for (const key of keys) rig.probes.use(key, undefined)
  await new Promise(setImmediate)
  expect(queryObjects(Semaphore)).toBeLessThan(Number(before) + 100)
})
