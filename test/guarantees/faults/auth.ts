import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from '../arena.ts'
import { READER, ROOT } from '../credentials.ts'
import type { Fault } from '../fault.ts'
import { PREFIX } from '../key-space.ts'
import type { Random } from '../random.ts'

/** Longer than tokens live without being used. */
const TOKENS_EXPIRED_MS = 5000

/** Authentication that comes and goes under a running mirror. */
export const AUTH_FAULTS: readonly Fault[] = [
  { name: 'auth switched on and off', strike: (arena, random) => whileOn(arena, () => sleep(random.int(500, 2500))) },
  { name: 'permission narrowed live', strike: (arena, random) => whileOn(arena, () => narrowed(arena, random)) },
  { name: 'token expiry', strike: (arena) => whileOn(arena, () => tokensExpired(arena)) },
]

async function whileOn({ store }: Arena, work: () => Promise<void>): Promise<void> {
  // A store that was set back may have forgotten some of it.
  for (const command of [
    ['user', 'add', `${ROOT.username}:${ROOT.password}`],
    ['role', 'add', 'root'],
    ['user', 'grant-role', ROOT.username, 'root'],
    ['role', 'add', READER.role],
    ['role', 'grant-permission', '--prefix=true', READER.role, 'read', PREFIX],
    ['user', 'add', `${READER.username}:${READER.password}`],
    ['user', 'grant-role', READER.username, READER.role],
  ]) {
    await store.etcdctl(command)
  }
  await store.etcdctl(['auth', 'enable'])
  await work()
  await asRoot(store, ['auth', 'disable'])
}

async function narrowed({ store, network }: Arena, random: Random): Promise<void> {
  await sleep(random.int(0, 800))
  await asRoot(store, ['role', 'revoke-permission', '--prefix=true', READER.role, PREFIX])
  // An open watch outlives the right; the next one does not.
  if (random.chance(0.5)) network.each((proxy) => proxy.cut())
  await sleep(random.int(200, 1500))
  await asRoot(store, ['role', 'grant-permission', '--prefix=true', READER.role, 'read', PREFIX])
}

async function tokensExpired({ network }: Arena): Promise<void> {
  network.disconnect()
  await sleep(TOKENS_EXPIRED_MS)
  await network.heal()
  await sleep(1000)
}

async function asRoot(store: Arena['store'], args: readonly string[]): Promise<void> {
  await store.etcdctl(args, { env: { ETCDCTL_USER: `${ROOT.username}:${ROOT.password}` } })
}
