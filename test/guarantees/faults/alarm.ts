import { setTimeout as sleep } from 'node:timers/promises'
import type { EtcdServer } from '../../support/etcd-server.ts'
import { eventually } from '../../support/wait.ts'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

type Alarm = 'NOSPACE' | 'CORRUPT'

/** Alarms, by which etcd refuses writes (no space) or everything (corrupt) until they are disarmed. */
export const ALARM_FAULTS: readonly Fault[] = [
  { name: 'NOSPACE alarm', suits: isPlain, strike: (arena, random) => alarm(arena, random, 'NOSPACE') },
  { name: 'CORRUPT alarm', suits: isPlain, strike: (arena, random) => alarm(arena, random, 'CORRUPT') },
]

/** The gateway is asked in plain text. */
function isPlain({ store }: Arena): boolean {
  return store.certificates === undefined
}

async function alarm({ store }: Arena, random: Random, kind: Alarm): Promise<void> {
  await eventually(() => raise(random.pick(store.members), kind), { timeoutMs: 60_000 })
  await sleep(random.int(300, 2500))
  await store.etcdctl(['alarm', 'disarm'])
}

/** etcdctl cannot: by the JSON gateway. */
async function raise(member: EtcdServer, kind: Alarm): Promise<void> {
  const status = await post(`${member.endpoint}/v3/maintenance/status`, {})
  const { header } = status as { readonly header: { readonly member_id: string } }
  await post(`${member.endpoint}/v3/maintenance/alarm`, { action: 'ACTIVATE', memberID: header.member_id, alarm: kind })
}

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`${url} answers ${response.status}: ${await response.text()}`)
  return await response.json()
}
