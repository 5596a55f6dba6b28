// Write, read, list and delete keys. ETCD_ENDPOINTS names the etcd, default 127.0.0.1:2379.
import { EtcdConnection, EtcdMirrorError } from 'etcd-mirror'

await using connection = await EtcdConnection.open()

const first = await connection.put('/examples/put-get/host', 'db-1')
await connection.put('/examples/put-get/port', '5432')
await connection.put('/examples/put-get/host', 'db-2')

const host = await connection.getValue('/examples/put-get/host')
console.log(`host is ${host?.value}`)

// As it was at an earlier revision.
const before = await connection.getValueRev('/examples/put-get/host', first)
console.log(`host was ${before?.value}`)

// A list is one revision, read page by page.
for await (const { key, value } of connection.listValues('/examples/put-get/')) console.log(`${key} = ${value}`)

// A key that goes away by itself.
await connection.put('/examples/put-get/lock', 'mine', { ttlSeconds: 60 })

// Deleting tells whether something was there.
console.log(await connection.delete('/examples/put-get/', { prefix: true }))
console.log(await connection.delete('/examples/put-get/', { prefix: true }))

// Every error has a code.
try {
  await connection.put('', 'x')
} catch (error) {
  if (error instanceof EtcdMirrorError) console.log(`${error.code}: ${error.message}`)
}

// Prints:
// host is db-2
// host was db-1
// /examples/put-get/host = db-2
// /examples/put-get/port = 5432
// true
// false
// EmptyKey: Cannot use the key: it is empty
