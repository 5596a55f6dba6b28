// Brokers and watchers of a part of the keys: the prefix is put before every key, and taken off again.
import { EtcdConnection, type KeyValueBroker, Root } from 'etcd-mirror'

await using connection = await EtcdConnection.open()
await connection.delete('/examples/broker/', { prefix: true })

/** Knows nothing of where its keys are. */
async function configure(broker: KeyValueBroker, name: string): Promise<void> {
  await broker.put('name', name)
  await broker.put('size', '3')
}

await configure(connection.newBroker('/examples/broker/red/'), 'red')
await configure(connection.newBroker('/examples/broker/blue/'), 'blue')

// The same keys under their full names.
const all = connection.newBroker(Root)
for await (const { key } of all.listKeys('/examples/broker/')) console.log(`${key}`)

const red = connection.newBroker('/examples/broker/red/')
for await (const { key, value } of red.listValues('')) console.log(`${key} = ${value}`)

// Prints:
// /examples/broker/blue/name
// /examples/broker/blue/size
// /examples/broker/red/name
// /examples/broker/red/size
// name = red
// size = 3
