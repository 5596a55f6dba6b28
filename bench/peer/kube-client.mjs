// One client, one process: `kube-client.mjs <ours|client-node> <kubeconfig> <namespace> <count>` applies that many ConfigMaps
// over and over, 16 at once, and prints what it took as JSON.
import { CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node'
import { CONFIG_MAPS } from '../../src/kube/kube-resource.ts'
import { kubeClientOf } from '../kube-client-of.ts'

const [kind, kubeconfig, namespace, countText] = process.argv.slice(2)
const count = Number(countText)
const AT_ONCE = 16
/** A multiple of it: each worker has objects of its own. */
const OBJECTS = 96
const KEYS = 20
const never = new AbortController().signal

/** The same apply, each as a user of that client would write it. */
const CLIENTS = {
  async ours() {
    const client = await kubeClientOf(kubeconfig)
    const known = new Map()
    return {
      async apply(name, data) {
        const ref = { resource: CONFIG_MAPS, namespace, name }
        const expected = known.get(name) ?? (await client.get(ref, never)) ?? 'absent'
        const context = { signal: never, fieldManager: 'bench', expected }
        known.set(name, await client.apply(ref, { metadata: { name }, data }, context))
      },
      close: () => client.close(),
    }
  },

  async 'client-node'() {
    const config = new KubeConfig()
    config.loadFromFile(kubeconfig)
    const api = config.makeApiClient(CoreV1Api)
    const options = setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply)
    return {
      async apply(name, data) {
        const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
        await api.patchNamespacedConfigMap({ name, namespace, body, fieldManager: 'bench', force: true }, options)
      },
      async close() {},
    }
  },
}

const client = await CLIENTS[kind]()
// Makes the objects, and the code warm.
await applyAll(OBJECTS)
const before = process.cpuUsage()
const started = performance.now()
await applyAll(count)
const ms = performance.now() - started
const { user, system } = process.cpuUsage(before)
console.log(JSON.stringify({ ms: ms / count, cpuMs: (user + system) / 1000 / count }))
await client.close()

async function applyAll(number) {
  let next = 0
  const worker = async (offset) => {
    for (let turn = offset; next < number; turn += AT_ONCE) {
      next += 1
      await client.apply(`${kind}-${turn % OBJECTS}`, newData())
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, offset) => worker(offset)))
}

function newData() {
  const value = `${Math.random()}`.padEnd(64, 'v')
  return Object.fromEntries(Array.from({ length: KEYS }, (_, key) => [`key-${key}`, value]))
}
