import { compactStore } from '../compactor/compact-store.ts'
import { loadConnection } from '../config-files/load-connection.ts'
import { CompactedError } from '../etcd/compacted-error.ts'
import { EtcdClient } from '../etcd/etcd-client.ts'
import type { CommandContext } from './command-context.ts'
import { EXIT_CODES } from './exit-code.ts'
import type { CompactFlags } from './run-flags.ts'

/** A large store takes its time to remove history from disk; Ctrl-C ends the waiting, not the compaction. */
const TIMEOUT_MS = 600_000

/**
 * `etcd-mirror compact`: compacts the whole store to a revision, by default the current one, and waits until the history
 * is gone from disk. A store that was compacted up to there already is what was asked for.
 */
export async function compact(flags: CompactFlags, { stdout, signal, env }: CommandContext): Promise<number> {
  const { etcd, warnings } = await loadConnection(flags, env, signal)
  for (const warning of [...flags.warnings, ...warnings]) stdout.write(`warning  ${warning}\n`)
  const client = await EtcdClient.open(etcd)
  const { revision } = flags
  try {
    const compacted = await compactStore(client, { signal, revision, timeoutMs: TIMEOUT_MS })
    stdout.write(`ok       compacted to revision ${compacted}\n`)
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error
    stdout.write(`ok       compacted${revision === undefined ? '' : ` to revision ${revision}`} already\n`)
  } finally {
    client.close()
  }
  return EXIT_CODES.done
}
