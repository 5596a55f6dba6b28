// Follow the keys below a prefix without missing a change: list them, then watch from the revision of the list.
import { EtcdConnection } from 'etcd-mirror'

await using connection = await EtcdConnection.open()
const broker = connection.newBroker('/examples/watch/')
const watcher = connection.newWatcher('/examples/watch/')
await broker.delete('', { prefix: true })
await broker.put('a', '1')

const state = new Map<string, string>()
async function list(revision?: number): Promise<number> {
  const items = broker.listValues('', { revision })
  state.clear()
  for await (const { key, value } of items) state.set(key.toString(), value.toString())
  return await items.revision()
}

const from = await list()
console.log('listed', Object.fromEntries(state))

// Written after the list and before the watch: it is not lost.
await broker.put('b', '')
await broker.put('a', '2')
await broker.delete('a')

const stop = new AbortController()
try {
  for await (const event of watcher.watch('', { fromRevision: from, signal: stop.signal })) {
    if (event.type === 'resync') {
      // etcd discarded history that we had not seen, or another store answers.
      await list(event.revision)
    } else if (event.type === 'put') {
      state.set(event.key.toString(), event.value.toString())
      console.log(`put ${event.key} = "${event.value}", before: ${event.previousValue}`)
    } else {
      state.delete(event.key.toString())
      console.log(`delete ${event.key}, before: ${event.previousValue}`)
      stop.abort(new Error('seen enough'))
    }
  }
} catch (error) {
  if (!stop.signal.aborted) throw error
}
console.log('now', Object.fromEntries(state))

// Prints:
// listed { a: '1' }
// put b = "", before: undefined
// put a = "2", before: 1
// delete a, before: 2
// now { b: '' }
