import { readTree } from '../support/tree-reader.ts'
import { eventually } from '../support/wait.ts'
import type { Arena } from './arena.ts'
import type { EngineUnderTest } from './engine-under-test.ts'
import { LASTING_KEY } from './key-space.ts'
import type { MirrorUnderTest } from './mirror-under-test.ts'
import type { SeenEnd } from './record.ts'
import { seenTree } from './tree-recorder.ts'

/** Only ends what hangs: a busy machine takes its time. */
const REST_TIMEOUT_MS = 120_000

/**
 * With nothing else being written: writes one key and waits until the copy is complete up to there and the mirror says so.
 * Resolves with what it complains about, when it does not get there.
 */
export async function awaitRest({ mirror, writer, stream, engine }: Arena, value: Buffer): Promise<readonly string[]> {
  try {
    await eventually(() => writer.put(LASTING_KEY, value), { timeoutMs: REST_TIMEOUT_MS })
    const head = await writer.head()
    await eventually(() => assertSettled(mirror, head), { timeoutMs: REST_TIMEOUT_MS })
    await eventually(() => assertEngineSettled(engine, head), { timeoutMs: REST_TIMEOUT_MS })
    await stream.reach(head, REST_TIMEOUT_MS)
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

/** How it stands at the end. */
export async function seenEnd({ mirror, writer, engine }: Arena, complaints: readonly string[]): Promise<SeenEnd> {
  const tree = readTree(mirror.root)
  const engineEntries = engine.sink.entries
  return {
    tree: tree && seenTree(tree),
    engine: engineEntries,
    store: await writer.readAll(),
    complaints,
    trees: mirror.trees,
  }
}

function assertEngineSettled(engine: EngineUnderTest, head: number): void {
  const { appliedRevision, lastError } = engine.status()
  if (appliedRevision >= head && lastError === undefined) return
  throw new Error(`the engine is not settled at revision ${head}: it applied ${appliedRevision}, ${lastError?.message}`)
}

async function assertSettled(mirror: MirrorUnderTest, head: number): Promise<void> {
  const status = await mirror.status()
  const { published, appliedRevision, lastError, sourceConnected, keyErrors } = status
  const isSettled =
    published && appliedRevision >= head && lastError === null && sourceConnected && keyErrors.count === 0
  if (!isSettled) throw new Error(`not settled at revision ${head}: ${JSON.stringify(status)}`)
}
