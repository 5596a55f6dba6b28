import { expect, test, vi } from 'vitest'
import { AuthError } from '../../../src/etcd/auth-error.ts'
import type { EtcdClient } from '../../../src/etcd/etcd-client.ts'
import { Mirror } from '../../../src/mirror/mirror.ts'
import type { Sink } from '../../../src/mirror/sink.ts'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { MirrorRunner, type WantedMirror } from '../../../src/operator/mirror-runner.ts'
import { mirrorRequest } from '../../../src/operator/mirror-spec.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const KEY = 'shop/app'
const metrics = createMetrics()

/** Mirrors that wait for their target for as long as they run. */
function runnerOf(): MirrorRunner {
  const open: Sink['open'] = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const sink = { open, close: async () => undefined } as unknown as Sink
  return new MirrorRunner({
    createSink: () => sink,
    clock: new ManualClock(),
    logger: silentLogger,
    metrics,
    beat: () => undefined,
  })
}

function wanted(prefix: string, lease: () => Promise<EtcdClient>): WantedMirror {
  const spec = { connectionRef: { name: 'main' }, prefix, target: { configMap: { name: 'app' } } }
  const request = mirrorRequest({ metadata: { name: 'app' }, spec })
  if (request.kind !== 'mirror') throw new Error(request.kind)
  const connection = { etcd: { resyncAfterReconnect: false }, lease, release: () => undefined }
  return {
    config: request.config,
    namespace: 'shop',
    owner: { apiVersion: 'v1', kind: 'EtcdMirror', name: 'app', uid: 'u' },
    connection: connection as unknown as WantedMirror['connection'],
  }
}

const leased = async () => ({}) as EtcdClient
const denied = () => Promise.reject(new AuthError('AuthenticationFailed', 'Cannot log in'))

test('a mirror that cannot run the way it is to has no series any more', async () => {
  const runner = runnerOf()
  await runner.ensure(KEY, wanted('/a/', leased))
  expect(await metrics.render()).toContain(`mirror="${KEY}"`)
  await expect(runner.ensure(KEY, wanted('/b/', denied))).rejects.toThrow(AuthError)
  expect(await metrics.render()).not.toContain(`mirror="${KEY}"`)
})

test('a resync that is asked for is asked for once, but again of a mirror that runs another way since', async () => {
  const asked = vi.spyOn(Mirror.prototype, 'requestResync')
  const runner = runnerOf()
  const ask = (value: string) => runner.requestResync(KEY, value)
  await runner.ensure(KEY, wanted('/a/', leased))
  for (const value of ['one', 'one', 'two', 'two', 'one']) ask(value)
  expect(asked).toHaveBeenCalledTimes(3)
  await runner.ensure(KEY, wanted('/b/', leased))
  ask('one')
  expect(asked).toHaveBeenCalledTimes(4)
  await runner.close()
  ask('three')
  expect(asked).toHaveBeenCalledTimes(4)
  asked.mockRestore()
})
