import { type CopyInspection, type FilesMirror, type InspectOptions, inspectCopy } from '../assemble/inspect-copy.ts'
import { type LoadedConfig, loadConfig } from '../config/load-config.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import { targetPlace } from '../config/target-options.ts'
import { EtcdClient } from '../etcd/etcd-client.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { didYouMean } from '../util/suggest.ts'
import type { CommandContext } from './command-context.ts'
import type { InspectFlags } from './run-flags.ts'

/**
 * Loads the configuration and compares one mirror after the other with etcd; the caller ends it by leaving the loop.
 * Copies that are not files are left out with a warning.
 */
export async function* inspectMirrors(
  flags: InspectFlags,
  options: Omit<InspectOptions, 'rpc' | 'signal'>,
  { env, signal, stderr }: CommandContext,
): AsyncGenerator<CopyInspection> {
  const config = await loadConfig(flags, env, signal)
  for (const warning of [...flags.warnings, ...config.warnings]) stderr.write(`warning: ${warning}\n`)
  const mirrors = chosen(config, flags.mirror)
  const client = await EtcdClient.open(config.etcd)
  try {
    for (const mirror of mirrors) {
      if (isFilesMirror(mirror)) yield await inspectCopy(mirror, { ...options, rpc: client, signal })
      else stderr.write(`warning: mirror ${mirror.name}: only files are compared, not ${targetPlace(mirror.target)}\n`)
    }
  } finally {
    client.close()
  }
}

export function isFilesMirror(mirror: MirrorConfig): mirror is FilesMirror {
  return 'files' in mirror.target
}

function chosen({ process: { mirrors } }: LoadedConfig, name: string | undefined): LoadedConfig['process']['mirrors'] {
  const found = mirrors.filter((mirror) => name === undefined || mirror.name === name)
  if (found.length > 0) return found
  const names = mirrors.map((mirror) => mirror.name)
  const message = `--mirror ${name}: mirror.yaml has no mirror of that name${didYouMean(name ?? '', names)}`
  throw new EtcdMirrorError('Usage', message, false)
}
