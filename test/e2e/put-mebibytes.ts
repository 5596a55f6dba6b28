// A process of its own, because only a process has a network. Puts `count` keys of 1 MiB below `prefix`, named 0001 and so on,
// some at once.
// Arguments: endpoint, directory of its certificates, prefix, count.
import { join } from 'node:path'
import { EtcdConnection } from '../../src/library/etcd-connection.ts'

const AT_ONCE = 4

const [endpoint = '', certificates = '', prefix = '', count = ''] = process.argv.slice(2)
const connection = await EtcdConnection.open({
  endpoints: [endpoint],
  caFile: join(certificates, 'ca.crt'),
  certFile: join(certificates, 'tls.crt'),
  keyFile: join(certificates, 'tls.key'),
  // A busy machine needs more than the defaults.
  dialTimeoutMs: 30_000,
  operationTimeoutMs: 60_000,
})
const broker = connection.newBroker(prefix)
const value = Buffer.alloc(2 ** 20, 'x')
let next = 0
await Promise.all(Array.from({ length: AT_ONCE }, putUntilAll))
await connection.close()

async function putUntilAll(): Promise<void> {
  while (next < Number(count)) {
    next += 1
    await broker.put(String(next).padStart(4, '0'), value)
  }
}
