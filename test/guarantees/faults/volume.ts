import { statfs } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/wait.ts'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import { VOLUME_SIZE } from '../mirror-under-test.ts'
import type { Random } from '../random.ts'

/** What happens to the volume that the root stands on. */
export const VOLUME_FAULTS: readonly Fault[] = [
  { name: 'ENOSPC: no blocks', strike: (arena, random) => shrunk(arena, random, blocks) },
  { name: 'ENOSPC: no inodes', strike: (arena, random) => shrunk(arena, random, inodes) },
]

/** How a volume is to be mounted so that nearly nothing fits any more. */
type Limit = (path: string) => Promise<string>

const blocks: Limit = async (path) => {
  const { blocks: all, bfree, bsize } = await statfs(path)
  return `size=${(all - bfree) * bsize + 16_384}`
}

const inodes: Limit = async (path) => {
  const { files, ffree } = await statfs(path)
  return `nr_inodes=${files - ffree + 3}`
}

async function shrunk({ mirror: { volume } }: Arena, random: Random, limit: Limit): Promise<void> {
  // Refused when the mirror has written in between.
  await eventually(async () => volume.resize(await limit(volume.seenAt)), { timeoutMs: 60_000 })
  await sleep(random.int(500, 3000))
  await volume.resize(`size=${VOLUME_SIZE},nr_inodes=1000000`)
}
