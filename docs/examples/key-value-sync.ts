// Keep in step with prefixes: the complete state first, then every change with the value that was known before. What could
// not be handled comes again.
import { EtcdConnection, KeyValueSync } from 'etcd-mirror'

await using connection = await EtcdConnection.open()
const broker = connection.newBroker('/examples/sync/')
const watcher = connection.newWatcher('/examples/sync/')
await broker.delete('', { prefix: true })
await broker.put('db/host', 'db-1')
await broker.put('cache/size', '10')

const sync = new KeyValueSync({ broker, watcher })
let failures = 1
for await (const event of sync.subscribe('app', ['db/', 'cache/'])) {
  if (event.type === 'resync') {
    for (const [prefix, values] of event.values) console.log(event.reason, prefix, values.length)
    for (const { key } of event.obsolete) console.log('gone', key.toString())
    await broker.put('db/host', 'db-2')
    continue
  }
  console.log(event.type, event.key.toString(), `${event.previousValue} -> ${event.value}`, 'attempt', event.attempt)
  if (failures-- > 0) {
    event.done(new Error('the database does not answer'))
    continue
  }
  if (event.type === 'delete') break
  await broker.delete('db/host')
}

// Prints:
// start db/ 1
// start cache/ 1
// put db/host db-1 -> db-2 attempt 1
// put db/host db-1 -> db-2 attempt 2
// delete db/host db-2 -> undefined attempt 1
