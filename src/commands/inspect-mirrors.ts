import { type CopyInspection, type InspectOptions, inspectCopy } from '../assemble/inspect-copy.ts'
import { type LoadedConfig, loadConfig } from '../config/load-config.ts'
import { EtcdClient } from '../etcd/etcd-client.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { didYouMean } from '../util/suggest.ts'
import type { CommandContext } from './command-context.ts'
import type { InspectFlags } from './run-flags.ts'

/** Loads the configuration and compares one mirror after the other with etcd; the caller ends it by leaving the loop. */
export async function* inspectMirrors(
  flags: InspectFlags,
  version: InspectOptions['version'],
  { env, signal, stderr }: CommandContext,
): AsyncGenerator<{ readonly inspection: CopyInspection; readonly rpc: EtcdRpc }> {
  const config = await loadConfig(flags, env, signal)
  for (const warning of [...flags.warnings, ...config.warnings]) stderr.write(`warning: ${warning}\n`)
  const mirrors = chosen(config, flags.mirror)
  const client = await EtcdClient.open(config.etcd)
  try {
    for (const mirror of mirrors) {
      yield { inspection: await inspectCopy(mirror, { rpc: client, version, signal }), rpc: client }
    }
  } finally {
    client.close()
  }
}

function chosen({ process: { mirrors } }: LoadedConfig, name: string | undefined): LoadedConfig['process']['mirrors'] {
  const found = mirrors.filter((mirror) => name === undefined || mirror.name === name)
  if (found.length > 0) return found
  const names = mirrors.map((mirror) => mirror.name)
  const message = `--mirror ${name}: mirror.yaml has no mirror of that name${didYouMean(name ?? '', names)}`
  throw new EtcdMirrorError('Usage', message, false)
}
