import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { type InspectOptions, inspectCopy } from '../assemble/inspect-copy.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { targetRoot } from '../config/target-options.ts'
import { EtcdClient } from '../etcd/etcd-client.ts'
import type { Logger } from '../util/logger.ts'
import { EXIT_CODES } from './exit-code.ts'

/**
 * What `run` would do first: logs, for each mirror, what its first publish would change, whether a guard would hold it
 * and whether its root can be written. Writes nothing. Throws what keeps it from etcd or from reading a root.
 */
export async function runDry(
  config: LoadedConfig,
  look: Omit<InspectOptions, 'rpc' | 'version'>,
  logger: Logger,
): Promise<number> {
  const client = await EtcdClient.open(config.etcd)
  let code: number = EXIT_CODES.done
  try {
    for (const mirror of config.process.mirrors) {
      const { differences, totals, keyErrors, guard, ...inspection } = await inspectCopy(mirror, {
        ...look,
        rpc: client,
        version: 'Head',
      })
      const fields = { mirror: mirror.name, revision: inspection.with.revision, ...totals, keyErrors: keyErrors.count }
      const count = (kind: string) => differences.filter((difference) => difference.kind === kind).length
      const removed = count('removed')
      const changes = { added: count('added'), changed: differences.length - count('added') - removed, removed }
      logger.info({ ...fields, ...changes }, differences.length > 0 ? 'would publish' : 'would publish nothing new')
      if (guard.held) {
        logger.error({ mirror: mirror.name, err: guard.held }, 'a guard would hold the copy')
        code = EXIT_CODES.held
      }
      const root = targetRoot(mirror.target)
      if (root !== undefined && !isWritable(root)) {
        logger.error({ mirror: mirror.name, root }, 'the root cannot be written')
        code = EXIT_CODES.target
      }
    }
  } finally {
    client.close()
  }
  return code
}

/** The root, or the nearest directory above it that is there. */
function isWritable(root: string): boolean {
  let path = root
  while (!existsSync(path) && path !== '/') path = dirname(path)
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
