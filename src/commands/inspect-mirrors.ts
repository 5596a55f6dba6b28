import { type CopyInspection, type InspectOptions, inspectCopy } from '../assemble/inspect-copy.ts'
import { KubeAccess } from '../assemble/kube-access.ts'
import { type LoadedConfig, loadConfig } from '../config/load-config.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import { targetPlace } from '../config/target-options.ts'
import { EtcdClient } from '../etcd/etcd-client.ts'
import { systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { noMetrics } from '../util/metrics.ts'
import { didYouMean } from '../util/suggest.ts'
import type { CommandContext } from './command-context.ts'
import type { InspectFlags } from './run-flags.ts'

/**
 * Loads the configuration and compares one mirror after the other with etcd; the caller ends it by leaving the loop.
 * Copies that cannot be compared so are left out with a warning. Throws `EtcdMirrorError` Usage when that leaves none.
 */
export async function* inspectMirrors(
  flags: InspectFlags,
  options: Omit<InspectOptions, 'rpc' | 'kube' | 'signal'>,
  { env, signal, stderr, version }: CommandContext,
): AsyncGenerator<CopyInspection> {
  const config = await loadConfig(flags, env, signal)
  const warn = (warning: string) => stderr.write(`warning: ${warning}\n`)
  for (const warning of [...flags.warnings, ...config.warnings]) warn(warning)
  const mirrors = comparable(chosen(config, flags.mirror), options.version, warn)
  const kube = new KubeAccess({ env, version, clock: systemClock, metrics: noMetrics })
  const client = await EtcdClient.open(config.etcd)
  try {
    for (const mirror of mirrors) yield await inspectCopy(mirror, { ...options, rpc: client, kube, signal })
  } finally {
    client.close()
    await kube.close()
  }
}

/** Of many objects nobody knows at which revision they stand all together while a mirror writes them. */
function comparable(
  mirrors: readonly MirrorConfig[],
  version: InspectOptions['version'],
  warn: (warning: string) => void,
): readonly MirrorConfig[] {
  const hasRevision = ({ target }: MirrorConfig) => !('etcdKeys' in target || 'objects' in target)
  const found = mirrors.filter((mirror) => version === 'Head' || hasRevision(mirror))
  const advice = 'has no revision that verify could compare with: diff compares it with what etcd holds now'
  const faults = mirrors
    .filter((mirror) => !found.includes(mirror))
    .map(({ name, target }) => `mirror ${name}: the target ${targetPlace(target)} ${advice}`)
  if (found.length === 0) throw new EtcdMirrorError('Usage', faults.join('; '), false)
  for (const fault of faults) warn(fault)
  return found
}

function chosen({ process: { mirrors } }: LoadedConfig, name: string | undefined): LoadedConfig['process']['mirrors'] {
  const found = mirrors.filter((mirror) => name === undefined || mirror.name === name)
  if (found.length > 0) return found
  const names = mirrors.map((mirror) => mirror.name)
  const message = `--mirror ${name}: mirror.yaml has no mirror of that name${didYouMean(name ?? '', names)}`
  throw new EtcdMirrorError('Usage', message, false)
}
