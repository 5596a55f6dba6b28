// A process of its own that writes to etcd and watches what becomes visible, so that acknowledgement and visibility are
// read from one clock and neither the harness nor the mirror delays it. Driven by messages; see load-driver.ts.
import { setTimeout as sleep } from 'node:timers/promises'
import { Etcd3 } from 'etcd3'
import { type DataSet, newValue, putAll, relativeKey } from './data-set.ts'
import type { LoadReport, LoadSetup, Pattern } from './load-driver.ts'
import { type Acknowledged, type Observer, observe } from './observer.ts'

interface Ack extends Acknowledged {
  readonly at: number
}

const WARM_UP_MS = 250

process.once('message', (setup: LoadSetup) => void serve(setup))

async function serve({ endpoint, data, observer: spec }: LoadSetup): Promise<void> {
  const client = new Etcd3({ hosts: [endpoint] })
  await using observer = observe(spec)
  await warmUp(client, data, observer)
  process.on('message', (pattern: Pattern) => {
    play(client, data, observer, pattern).then(
      (report) => process.send?.(report),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
  process.send?.('ready')
  await new Promise<void>((resolve) => process.once('disconnect', () => resolve()))
  client.close()
}

/** `etcdctl watch` does not say when it has begun: one that missed the first put sees the second. */
async function warmUp(client: Etcd3, data: DataSet, observer: Observer): Promise<void> {
  for (let hasSeen = false; !hasSeen; ) {
    const seen = observer.seen(await put(client, data, 0))
    hasSeen = await Promise.race([seen.then(() => true), sleep(WARM_UP_MS, false)])
  }
}

async function play(client: Etcd3, data: DataSet, observer: Observer, pattern: Pattern): Promise<LoadReport> {
  const startedAt = performance.now()
  const acks = await write(client, data, pattern)
  const lastAckAt = Math.max(...acks.map(({ at }) => at))
  const seen = await Promise.all(acks.map((ack) => observer.seen(ack)))
  const latencies = seen.map((at, index) => Math.max(0, at - (acks[index]?.at ?? at)))
  return {
    latenciesMs: pattern.kind === 'rate' ? latencies : latencies.slice(-1),
    totalMs: Math.max(...seen, lastAckAt) - startedAt,
    afterLastAckMs: Math.max(0, Math.max(...seen) - lastAckAt),
    writeMs: lastAckAt - startedAt,
  }
}

function write(client: Etcd3, data: DataSet, pattern: Pattern): Promise<Ack[]> {
  if (pattern.kind === 'rate') return writeAtRate(client, data, pattern)
  if (pattern.kind === 'puts') return writePuts(client, data, pattern)
  return writeTxns(client, data, pattern)
}

async function writeAtRate(client: Etcd3, data: DataSet, { perSecond, count }: { perSecond: number; count: number }) {
  const startedAt = performance.now()
  const puts: Promise<Ack>[] = []
  for (let number = 0; number < count; number += 1) {
    const wait = startedAt + (number * 1000) / perSecond - performance.now()
    if (wait > 0) await sleep(wait)
    puts.push(put(client, data, anyIndex(data)))
  }
  return await Promise.all(puts)
}

async function writePuts(client: Etcd3, data: DataSet, { count, writers }: { count: number; writers: number }) {
  const acks: Ack[] = []
  let next = 0
  const writer = async () => {
    while (next < count) {
      next += 1
      acks.push(await put(client, data, next % data.keys))
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  return lastOf(acks)
}

async function writeTxns(client: Etcd3, data: DataSet, { count, size }: { count: number; size: number }) {
  const acks: Ack[] = []
  for (let number = 0; number < count; number += 1) {
    const indexes = Array.from({ length: size }, (_, offset) => (number * size + offset) % data.keys)
    let value = ''
    const next = () => {
      value = newValue(data.valueBytes)
      return value
    }
    const revision = await putAll(client, data.prefix, indexes, data.valueBytes, next)
    acks.push({ revision, value, at: performance.now() })
  }
  return lastOf(acks)
}

async function put(client: Etcd3, { prefix, valueBytes }: DataSet, index: number): Promise<Ack> {
  const value = newValue(valueBytes)
  const { header } = await client.kv.put({ key: Buffer.from(prefix + relativeKey(index)), value: Buffer.from(value) })
  return { revision: Number(header.revision), value, at: performance.now() }
}

/** Who has seen the last revision has seen all. */
function lastOf(acks: readonly Ack[]): Ack[] {
  const last = acks.reduce((best, ack) => (ack.revision > best.revision ? ack : best))
  const at = Math.max(...acks.map((ack) => ack.at))
  return [{ ...last, at }]
}

function anyIndex({ keys }: DataSet): number {
  return Math.floor(Math.random() * keys)
}
