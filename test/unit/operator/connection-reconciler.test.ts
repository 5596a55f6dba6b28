import { expect, test } from 'vitest'
import type { ConnectionStatus } from '../../../src/config/resource-status.ts'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import type { Compactions } from '../../../src/operator/compactions.ts'
import type { ConnectionProbes } from '../../../src/operator/connection-probes.ts'
import { ConnectionReconciler } from '../../../src/operator/connection-reconciler.ts'
import { ConnectionSecrets } from '../../../src/operator/connection-secrets.ts'
import { Connections } from '../../../src/operator/connections.ts'
import type { NamedObject, NamedObjects } from '../../../src/operator/named-objects.ts'
import type { ResourceCache } from '../../../src/operator/resource-cache.ts'
import type { StatusWriter } from '../../../src/operator/status-writer.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { noMetrics } from '../../../src/util/metrics.ts'

const never = new AbortController().signal
const KEY = '/shared'
const allow = (prefix: string) => [{ namespaceSelector: {}, prefixes: [prefix] }]
const LOGIN: NamedObject = {
  kind: 'present',
  data: new Map([
    ['username', 'dQ=='],
    ['password', 'cA=='],
  ]),
}

/** A ClusterEtcdConnection, to an etcd that is not there. */
class Rig implements Disposable {
  readonly connections = new Connections()
  readonly secrets = new Map([['login', LOGIN]])
  changes = 0
  readonly #objects = new Map<string, KubeObject>()
  readonly #reconciler = new ConnectionReconciler({
    kind: 'ClusterEtcdConnection',
    cache: this.#objects as unknown as ResourceCache,
    connections: this.connections,
    compactions: { use: async () => undefined, compactedRevision: () => undefined } as unknown as Compactions,
    probes: { use: () => undefined, get: () => undefined } as unknown as ConnectionProbes,
    secrets: new ConnectionSecrets(
      {
        use: () => undefined,
        get: ({ name }: { name: string }) => this.secrets.get(name),
      } as unknown as NamedObjects,
      'etcd-mirror',
    ),
    statuses: { write: async () => undefined, forget: () => undefined } as unknown as StatusWriter<ConnectionStatus>,
    clock: systemClock,
    metrics: noMetrics,
    countMirrors: () => 0,
    onChange: () => {
      this.changes += 1
    },
  })

  /** Writes it, and has it looked at. */
  async apply(spec: object, uid = 'first'): Promise<void> {
    const whole = {
      endpoints: ['127.0.0.1:1'],
      insecureTransport: true,
      auth: { secretRef: { name: 'login' } },
      allow: allow('/a/'),
      ...spec,
    }
    this.#objects.set(KEY, { metadata: { name: 'shared', uid }, spec: whole })
    this.changes = 0
    await this.#reconciler.reconcile(KEY, never)
  }

  /** Deletes it, and has that looked at. */
  async remove(): Promise<void> {
    this.#objects.delete(KEY)
    this.changes = 0
    await this.#reconciler.reconcile(KEY, never)
  }

  get state() {
    return this.connections.get(KEY)
  }

  [Symbol.dispose](): void {
    this.connections.close()
  }
}

test('what is not granted any more ends at once, while a new Secret is not read yet', async () => {
  using rig = new Rig()
  await rig.apply({})
  await rig.apply({ auth: { secretRef: { name: 'other' } }, allow: allow('/b/') })
  expect(rig.state).toMatchObject({ allow: allow('/b/'), shared: expect.anything() })
  expect(rig.changes).toBe(1)
})

test('and when the rest of the spec cannot be used; grants that cannot be read grant nothing', async () => {
  using rig = new Rig()
  await rig.apply({})
  await rig.apply({ endpoints: [], allow: allow('/b/') })
  expect(rig.state).toMatchObject({ allow: allow('/b/'), shared: expect.anything(), fault: { reason: 'InvalidSpec' } })
  await rig.apply({ allow: [...allow('/b/'), { namespaceSelector: {}, prefixes: ['/c/'], except: ['/c/d/'] }] })
  expect(rig.state).toMatchObject({ allow: [], shared: expect.anything(), fault: { reason: 'InvalidSpec' } })
})

test('a wider grant does not count for the etcd of before while the new one cannot be used', async () => {
  using rig = new Rig()
  await rig.apply({})
  await rig.apply({ endpoints: ['127.0.0.1:2'], auth: { secretRef: { name: 'other' } }, allow: allow('') })
  expect(rig.state).toMatchObject({ allow: allow(''), allowInUse: allow('/a/') })
  rig.secrets.set('other', { kind: 'absent' })
  await rig.apply({ endpoints: ['127.0.0.1:2'], auth: { secretRef: { name: 'other' } }, allow: allow('') })
  expect(rig.state).toMatchObject({ allow: allow(''), allowInUse: allow('/a/'), fault: { reason: 'SecretNotFound' } })
  rig.secrets.set('other', LOGIN)
  await rig.apply({ endpoints: ['127.0.0.1:2'], auth: { secretRef: { name: 'other' } }, allow: allow('') })
  expect(rig.state).toMatchObject({ allow: allow(''), allowInUse: allow(''), fault: undefined })
})

test('one that is made anew under the same name is another one, however alike', async () => {
  using rig = new Rig()
  await rig.apply({})
  const { shared } = rig.state ?? {}
  await rig.apply({})
  expect(rig.changes).toBe(0)
  expect(rig.state?.shared).toBe(shared)
  await rig.apply({}, 'second')
  expect(rig.changes).toBeGreaterThan(0)
  expect(rig.state?.shared).not.toBe(shared)
})

test('mirrors hear of one that goes before its Secrets were read', async () => {
  using rig = new Rig()
  rig.secrets.delete('login')
  await rig.apply({})
  expect(rig.state).toBeUndefined()
  await rig.remove()
  expect(rig.changes).toBe(1)
})

test('that a Secret cannot be read is a fault of its own', async () => {
  using rig = new Rig()
  rig.secrets.set('login', { kind: 'unreadable', message: 'no answer' })
  await rig.apply({})
  expect(rig.state?.fault).toEqual({
    reason: 'SecretUnreadable',
    message: 'Secret "login" of the namespace etcd-mirror cannot be read: no answer',
  })
})
