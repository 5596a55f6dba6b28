// One of many processes does the work. Who loses its lease is told, and the next one goes on.
import { EtcdConnection } from 'etcd-mirror'

await using connection = await EtcdConnection.open()
const name = '/examples/election'

async function lead(who: string): Promise<void> {
  // Waits until everybody who came before has gone.
  await using leadership = await connection.campaign(name, { value: who })
  console.log(`${who} leads, as everybody sees: ${(await connection.getLeader(name))?.value}`)
  // Hand `lost` to everything that only the leader may do; write `revision` beside what you write elsewhere.
  await work(who, leadership.lost)
}

async function work(who: string, lost: AbortSignal): Promise<void> {
  lost.throwIfAborted()
  await connection.put('/examples/worked', who, { signal: lost })
}

await lead('first')
await lead('second')
console.log(`last at work: ${(await connection.getValue('/examples/worked'))?.value}`)
console.log(`leader: ${(await connection.getLeader(name))?.value}`)

// Prints:
// first leads, as everybody sees: first
// second leads, as everybody sees: second
// last at work: second
// leader: undefined
