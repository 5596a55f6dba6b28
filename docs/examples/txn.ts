// Several writes at one revision, and writes that happen only if nobody else was faster.
import { EtcdConnection } from 'etcd-mirror'

await using connection = await EtcdConnection.open()
const broker = connection.newBroker('/examples/txn/')
await broker.delete('', { prefix: true })

const revision = await broker.newTxn().put('host', 'db-1').put('port', '5432').delete('old').commit()
for await (const item of broker.listValues(''))
  console.log(`${item.key} = ${item.value}, ${item.revision === revision}`)

// Only the first one creates the key.
console.log(await broker.putIfNotExists('owner', 'a'))
console.log(await broker.putIfNotExists('owner', 'b'))

// Count without losing a step, whoever else counts.
await broker.putIfNotExists('count', '0')
for (let done = false; !done; ) {
  const count = (await broker.getValue('count'))?.value.toString() ?? '0'
  done = await broker.compareAndSwap('count', count, String(Number(count) + 1))
}
console.log(`count is ${(await broker.getValue('count'))?.value}`)

// Give up only what is still ours.
console.log(await broker.compareAndDelete('owner', 'b'))
console.log(await broker.compareAndDelete('owner', 'a'))

// Prints:
// host = db-1, true
// port = 5432, true
// true
// false
// count is 1
// false
// true
