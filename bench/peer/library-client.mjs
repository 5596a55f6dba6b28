// One client, one task, one process: `library-client.mjs <ours|etcd3> <task> <endpoint> <prefix> <count>`. Prints what it
// took as JSON; for tasks that wait for events it first prints "ready".
import { Etcd3 } from 'etcd3'
import { EtcdConnection } from '../../dist/lib/index.js'

const [kind, task, endpoint, prefix, countText] = process.argv.slice(2)
const count = Number(countText)
const VALUE = 'v'.repeat(256)
const TXN_KEYS = 10
const WARM_UP = 300

/** The same tasks, each as a user of that client would write it. */
const CLIENTS = {
  async ours() {
    const connection = await EtcdConnection.open({
      endpoints: [endpoint],
      dialTimeoutMs: 10_000,
      operationTimeoutMs: 60_000,
    })
    return {
      get: (key) => connection.getValue(key),
      put: (key) => connection.put(key, VALUE),
      txn(keys) {
        const txn = connection.newTxn()
        for (const key of keys) txn.put(key, VALUE)
        return txn.commit()
      },
      async list() {
        let found = 0
        for await (const { key, value } of connection.listValues(prefix)) found += key.length > 0 && value.length > 0
        return found
      },
      async watch(onEvent) {
        const watch = connection.watch(prefix)
        const iterating = (async () => {
          for await (const event of watch) if (event.type === 'put' && onEvent(event.key, event.value)) break
        })()
        await watch.ready()
        return { done: iterating }
      },
      async watchEach(keys, onEvent) {
        const watches = keys.map((key) => connection.watch(key))
        const iterating = watches.map(async (watch) => {
          for await (const event of watch) if (event.type === 'put' && onEvent()) break
        })
        await Promise.all(watches.map((watch) => watch.ready()))
        return iterating
      },
      close: () => connection.close(),
    }
  },

  etcd3() {
    const client = new Etcd3({ hosts: [endpoint], grpcOptions: { 'grpc.max_receive_message_length': -1 } })
    return {
      get: (key) => client.get(key).buffer(),
      put: (key) => client.put(key).value(VALUE),
      txn: (keys) =>
        client
          .if('none', 'Version', '==', 0)
          .then(...keys.map((key) => client.put(key).value(VALUE)))
          .commit(),
      list: async () => Object.keys(await client.getAll().prefix(prefix).buffers()).length,
      async watch(onEvent) {
        const watcher = await client.watch().prefix(prefix).create()
        const done = new Promise((resolve) => watcher.on('put', ({ key, value }) => onEvent(key, value) && resolve()))
        return { done }
      },
      async watchEach(keys, onEvent) {
        const watchers = await Promise.all(keys.map((key) => client.watch().key(key).create()))
        for (const watcher of watchers) watcher.on('put', onEvent)
      },
      close: () => client.close(),
    }
  },
}

const TASKS = {
  get: (client) => latencies(() => client.get(`${prefix}0`)),
  put: (client) => latencies((number) => client.put(prefix + (number % 100))),
  txn: (client) =>
    latencies((number) =>
      client.txn(Array.from({ length: TXN_KEYS }, (_, at) => `${prefix}${(number * TXN_KEYS + at) % 1000}`)),
    ),

  async list(client) {
    await client.get(`${prefix}none`)
    const measured = measure()
    const found = await client.list()
    if (found !== count) throw new Error(`${found} keys instead of ${count}`)
    return measured()
  },

  /** From the first event on: until then the one has connected its stream already and the other has not. */
  async watch(client) {
    const { promise, resolve } = Promise.withResolvers()
    let seen = 0
    let measured
    await client.watch((key, value) => {
      measured ??= measure()
      seen += key.length > 0 && value.length > 0
      if (seen === count) resolve()
      return seen === count
    })
    process.stdout.write('ready\n')
    await promise
    return measured()
  },

  /** Created, and each has seen its one event. */
  async watches(client) {
    const { promise, resolve } = Promise.withResolvers()
    const keys = Array.from({ length: count }, (_, number) => `${prefix}${String(number).padStart(6, '0')}`)
    let seen = 0
    const measured = measure()
    await client.watchEach(keys, () => {
      seen += 1
      if (seen === count) resolve()
      return true
    })
    process.stdout.write('ready\n')
    await promise
    return measured()
  },
}

async function latencies(call) {
  for (let number = 0; number < WARM_UP; number += 1) await call(number)
  const taken = []
  const measured = measure()
  for (let number = 0; number < count; number += 1) {
    const started = performance.now()
    await call(number)
    taken.push(performance.now() - started)
  }
  taken.sort((a, b) => a - b)
  return { ...measured(), p50Ms: taken[Math.floor(taken.length / 2)] }
}

function measure() {
  const started = performance.now()
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return {
      cpuMs: (user + system) / 1000,
      ms: performance.now() - started,
      rssMiB: process.memoryUsage.rss() / 2 ** 20,
    }
  }
}

const client = await CLIENTS[kind]()
const result = await TASKS[task](client)
process.stdout.write(`${JSON.stringify(result)}\n`)
await client.close()
process.exit(0)
