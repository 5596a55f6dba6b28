import { expect, test } from 'vitest'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import { Operations } from '../../../src/library/operations.ts'
import { SessionLease } from '../../../src/library/session-lease.ts'
import { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

/** Leases 1, 2, 3, … of which the first has ended; and the calls that were made. */
function setUp() {
  const calls: string[] = []
  let granted = 0
  const answers: Record<string, (id: bigint) => unknown> = {
    leaseGrant: () => ({ id: BigInt(++granted), ttlSeconds: 9 }),
    leaseKeepAlive: (id) => ({ id, ttlSeconds: id === 1n ? 0 : 9 }),
    leaseRevoke: () => ({}),
  }
  const unary = async (method: string, { id = 0n }: { id?: bigint }) => {
    calls.push(`${method} ${id}`)
    return answers[method]?.(id)
  }
  const operations = new Operations({ unary } as unknown as EtcdRpc, 1000)
  const clock = new ManualClock()
  return { calls, clock, session: new SessionLease(operations, 9, clock) }
}

async function write(lease: bigint): Promise<bigint> {
  if (lease > 1n) return lease
  throw new EtcdMirrorError('InvalidRequest', 'Cannot write to etcd: etcdserver: requested lease not found', false)
}

test('SessionLease: the end of a lease, noticed late, costs nothing of the one that was granted since', async () => {
  const { calls, clock, session } = setUp()
  expect(await session.use(write, {})).toBe(2n)
  await eventually(() => expect(clock.sleepers).toBe(2))
  clock.advance(3000)
  await eventually(() => expect(calls).toContain('leaseKeepAlive 1'))
  await eventually(() => expect(clock.sleepers).toBe(1))
  expect(await session.use(write, {})).toBe(2n)
  await Promise.all([session.close(1000), session.close(1000)])
  expect(calls.filter((call) => !call.startsWith('leaseKeepAlive'))).toEqual([
    'leaseGrant 0',
    'leaseGrant 0',
    'leaseRevoke 2',
  ])
})
