import { fileIdentities } from '../support/tree-reader.ts'
import { eventually } from '../support/wait.ts'
import type { Arena } from './arena.ts'
import { keyOfPath, LASTING_KEY, PLAIN_KEYS } from './key-space.ts'
import type { Values } from './operations.ts'
import type { Random } from './random.ts'
import type { SeenRestart } from './record.ts'
import { awaitRest } from './rest.ts'

const KEYS_WHILE_DOWN = 20

/** Kills a mirror that is at rest, writes a little, and starts it again: etcd has all that it missed. */
export async function restartAtRest(
  arena: Arena,
  random: Random,
  values: Values,
): Promise<{ readonly restart: SeenRestart; readonly complaints: readonly string[] }> {
  const { mirror, writer } = arena
  const before = identities(mirror.root)
  await mirror.end(random.pick(['SIGKILL', 'SIGTERM']))
  const changed = new Set([LASTING_KEY, ...random.shuffled(PLAIN_KEYS).slice(0, KEYS_WHILE_DOWN)])
  for (const key of changed) await eventually(() => writer.put(key, values.small(random)), { timeoutMs: 60_000 })
  mirror.start()
  const complaints = await awaitRest(arena, values.small(random))
  const resyncs = complaints.length > 0 ? 0 : await mirror.metric('etcd_mirror_resync_total')
  return { restart: { resyncs, before, after: identities(mirror.root), changed }, complaints }
}

function identities(root: string): ReadonlyMap<string, string> {
  return new Map(
    [...fileIdentities(root)].map(([path, { inode, mtimeMs }]) => [keyOfPath(path), `${inode} ${mtimeMs}`] as const),
  )
}
