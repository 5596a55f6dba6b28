import { expect, test } from 'vitest'
import type { KubeClient } from '../../../src/kube/kube-client.ts'
import { KubeError } from '../../../src/kube/kube-error.ts'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { Connections } from '../../../src/operator/connections.ts'
import { MirrorReconciler } from '../../../src/operator/mirror-reconciler.ts'
import type { MirrorRunner } from '../../../src/operator/mirror-runner.ts'
import { MirrorTemplates } from '../../../src/operator/mirror-templates.ts'
import { NamedObjects } from '../../../src/operator/named-objects.ts'
import type { ResourceCache } from '../../../src/operator/resource-cache.ts'
import type { SharedConnection } from '../../../src/operator/shared-connection.ts'
import type { StatusWriter } from '../../../src/operator/status-writer.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

const never = new AbortController().signal
const KEY = 'team/app'

/** An EtcdMirror that runs, of one key; the ConfigMaps that it may name are asked for by `list`. */
function rigOf(list: () => AsyncIterable<unknown>) {
  const mirrors = new Map<string, KubeObject>()
  const running = new Set([KEY])
  const told: string[] = []
  const clock = new ManualClock()
  let calls = 0
  const cacheOf = (objects: ReadonlyMap<string, object>) =>
    ({ get: (key: string) => objects.get(key), refusal: () => undefined }) as unknown as ResourceCache
  const client = { list, get: async () => undefined, apply: async () => ({}) } as unknown as KubeClient
  const configMaps = new NamedObjects({
    client,
    resource: CONFIG_MAPS,
    clock,
    logger: silentLogger,
    onChange: () => {
      calls += 1
    },
  })
  const connections = new Connections()
  const shared = { etcd: {} } as unknown as SharedConnection
  const allow = (prefix: string, inUse = prefix, uid = 'one') =>
    connections.set('/shared', {
      uid,
      shared,
      hash: '',
      allow: [{ namespaceSelector: {}, prefixes: [prefix] }],
      allowInUse: [{ namespaceSelector: {}, prefixes: [inUse] }],
      compactionMs: 0,
      fault: undefined,
    })
  allow('/a/')
  const reconciler = new MirrorReconciler({
    client,
    allowsObjects: true,
    mirrors: cacheOf(mirrors),
    templates: new MirrorTemplates(configMaps),
    namespaces: cacheOf(new Map([['/team', { metadata: { name: 'team' } }]])),
    connectionResources: {
      EtcdConnection: cacheOf(new Map()),
      ClusterEtcdConnection: cacheOf(new Map([['/shared', { metadata: { uid: 'one' }, spec: {} }]])),
    },
    connections,
    runner: {
      ensure: async (key: string) => void running.add(key),
      stop: async (key: string) => void running.delete(key),
      status: () => undefined,
    } as unknown as MirrorRunner,
    statuses: {
      write: async ({ findings }: { findings: { Ready: { reason: string } } }) => {
        told.push(findings.Ready.reason)
        return 1000
      },
    } as unknown as StatusWriter<object>,
  })
  const connectionRef = { kind: 'ClusterEtcdConnection', name: 'shared' }
  const templateFrom = { configMapKeyRef: { name: 'templates', key: 'thing' } }
  const write = (target: object) =>
    mirrors.set(KEY, {
      metadata: { name: 'app', namespace: 'team' },
      spec: { connectionRef, prefix: '/a/', target },
    })
  write({ objects: { templateFrom } })
  return {
    clock,
    running,
    told,
    allow,
    write,
    calls: () => calls,
    reconcile: () => reconciler.reconcile(KEY, never),
    close: () => configMaps.close(),
  }
}

async function* unanswered() {
  await new Promise(() => undefined)
  yield undefined
}

test('what ran before does not go on while its template is not known', async () => {
  const rig = rigOf(unanswered)
  await rig.reconcile()
  expect([...rig.running]).toEqual([])
  expect(rig.told).toEqual([])
})

test('what is not granted is refused, whatever becomes of its template: that is not even asked for', async () => {
  let lists = 0
  const rig = rigOf(() => {
    lists += 1
    return unanswered()
  })
  rig.allow('/b/')
  await rig.reconcile()
  expect([...rig.running]).toEqual([])
  rig.allow('/a/', '/b/')
  await rig.reconcile()
  expect(rig.told).toEqual(['NotAllowed', 'NotAllowed'])
  // Of another connection that had the same name.
  rig.allow('/a/', '/a/', 'two')
  await rig.reconcile()
  expect(rig.told).toEqual(['NotAllowed', 'NotAllowed'])
  expect(lists).toBe(0)
})

test('what is not told yet of files for sidecars is told when it is due', async () => {
  const rig = rigOf(async function* () {
    yield { items: [] }
  })
  rig.write({ files: {} })
  expect(await rig.reconcile()).toBe(1000)
  expect(rig.told).toEqual(['Rendered'])
})

test('that a template cannot be read is told, once', async () => {
  // biome-ignore lint/correctness/useYield: there is nothing to yield
  const rig = rigOf(async function* () {
    throw new KubeError('KubeUnavailable', 'no answer', { status: 500 })
  })
  await rig.reconcile()
  await eventually(async () => {
    rig.clock.advance(15_000)
    expect(rig.calls()).toBe(1)
  })
  await rig.reconcile()
  expect([...rig.running]).toEqual([])
  expect(rig.told).toEqual(['TemplateUnreadable'])
  await rig.close()
})
