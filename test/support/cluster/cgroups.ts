import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

const MOUNT = '/sys/fs/cgroup'

/** Removes the control groups below `name` that hold no process, of every hierarchy. */
export async function removeCgroups(name: string): Promise<void> {
  const hierarchies = await readdir(MOUNT).catch(() => [])
  for (const path of [MOUNT, ...hierarchies.map((hierarchy) => join(MOUNT, hierarchy))]) {
    await removeBelow(join(path, name))
  }
}

async function removeBelow(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeBelow(join(path, entry.name))
  await rmdir(path).catch(() => undefined)
}
