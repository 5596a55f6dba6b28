import { proveClaimRight } from '../compactor/store-view.ts'
import { loadConfig } from '../config/load-config.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import { EtcdClient } from '../etcd/etcd-client.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import { readHead } from '../replication/head.ts'
import { isCompleteVersion, readServerVersion } from '../replication/server-version.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { checkHooks } from './check-hooks.ts'
import { checkRights } from './check-rights.ts'
import { claimPermissionCommands } from './claim-permission.ts'
import type { CommandContext } from './command-context.ts'
import { EXIT_CODES, exitCodeOf } from './exit-code.ts'
import { readPermissionCommand } from './read-permission.ts'
import type { CheckFlags } from './run-flags.ts'

/**
 * `etcd-mirror check`: validates the configuration, connects, reads every prefix, and asks for the rights that Kubernetes
 * targets need; prints one line a finding, and the etcdctl commands and rules of a Role that would grant what is missing.
 * Writes nothing but its report.
 */
export async function check(flags: CheckFlags, context: CommandContext): Promise<number> {
  const { stdout, signal, env } = context
  const say = (line: string) => stdout.write(`${line}\n`)
  const config = await loadConfig(flags, env, signal)
  for (const warning of [...flags.warnings, ...config.warnings]) say(`warning  ${warning}`)
  say(`ok       configuration: ${[config.etcdSource, ...config.process.configFiles].join(', ')}`)
  const { mirrors } = config.process
  const codes = [
    await checkEtcd(config.etcd, mirrors, say, signal),
    await checkRights(mirrors, flags, context, say),
    checkHooks(mirrors, say) ? EXIT_CODES.done : EXIT_CODES.failed,
  ]
  return codes.find((code) => code !== EXIT_CODES.done) ?? EXIT_CODES.done
}

async function checkEtcd(
  etcd: EtcdOptions,
  mirrors: readonly MirrorConfig[],
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const client = await EtcdClient.open(etcd)
  try {
    const reachable = await checkConnection(client, etcd, say, signal)
    if (reachable !== undefined) return reachable
    const prefixes = await checkPrefixes(client, mirrors, etcd, say, signal)
    const compaction = await checkCompaction(client, etcd, say, signal)
    return prefixes === EXIT_CODES.done ? compaction : prefixes
  } finally {
    client.close()
  }
}

/** An exit code when nothing more can be checked. */
async function checkConnection(
  client: EtcdClient,
  etcd: EtcdOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    const version = await readServerVersion(client, { signal })
    say(`ok       etcd ${version ?? '(version unknown: not permitted to ask)'} at ${etcd.endpoints.join(', ')}`)
    if (version !== undefined && !isCompleteVersion(version)) {
      say(
        'warning  this version can lose watch events (fixed in 3.4.36, 3.5.18 and 3.6): copies converge within one verifyEvery',
      )
    }
    return undefined
  } catch (error) {
    return failed('etcd', error, undefined, say, signal)
  }
}

async function checkPrefixes(
  client: EtcdClient,
  mirrors: readonly MirrorConfig[],
  etcd: EtcdOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  let code: number = EXIT_CODES.done
  for (const { name, prefix } of mirrors) {
    try {
      const { keyCount, revision } = await readHead(client, prefix, { signal })
      say(`ok       mirror ${name}: ${keyCount} keys at revision ${revision}`)
    } catch (error) {
      const isDenied = error instanceof EtcdMirrorError && error.code === 'PermissionDenied'
      const cure = isDenied ? readPermissionCommand(prefix, etcd.username) : undefined
      code = failed(`mirror ${name}`, error, cure, say, signal)
    }
  }
  return code
}

/** What compacting itself needs shows only when it is done. */
async function checkCompaction(
  client: EtcdClient,
  { autoCompactMs, username }: EtcdOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  if (autoCompactMs === 0) return EXIT_CODES.done
  try {
    await proveClaimRight(client, signal)
    say('ok       auto-compact: may take its turn')
    return EXIT_CODES.done
  } catch (error) {
    const isDenied = error instanceof EtcdMirrorError && error.code === 'PermissionDenied'
    const cure = isDenied ? claimPermissionCommands(username).join(' && ') : undefined
    return failed('auto-compact', error, cure, say, signal)
  }
}

/** `cure`: better advice than the error's own hint. */
function failed(
  subject: string,
  error: unknown,
  cure: string | undefined,
  say: (line: string) => void,
  signal: AbortSignal,
): number {
  signal.throwIfAborted()
  if (!(error instanceof EtcdMirrorError)) throw error
  say(`error    ${subject}: ${error.message}`)
  const advice = cure ?? error.hint
  if (advice !== undefined) say(`         ${advice}`)
  return exitCodeOf(error)
}
