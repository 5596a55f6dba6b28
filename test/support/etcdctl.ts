import { execFile } from 'node:child_process'
import type { EtcdHealth } from './etcd-health.ts'

export interface EtcdctlOptions {
  /** Written to stdin: a value, or the lines of a txn. */
  readonly input?: string | Uint8Array
  /** Such as `ETCDCTL_USER`. */
  readonly env?: Readonly<Record<string, string>>
}

/** Runs etcdctl against an etcd; resolves with stdout, rejects with stderr when it fails. */
export function runEtcdctl(
  program: string,
  { endpoint, tls }: EtcdHealth,
  args: readonly string[],
  { input, env }: EtcdctlOptions,
): Promise<string> {
  const tlsFlags = [
    ...(tls ? [`--cacert=${tls.ca}`] : []),
    ...(tls?.client ? [`--cert=${tls.client.cert}`, `--key=${tls.client.key}`] : []),
  ]
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [`--endpoints=${endpoint}`, ...tlsFlags, ...args],
      { env: { PATH: process.env.PATH, ETCDCTL_API: '3', ...env }, maxBuffer: 1 << 30 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`etcdctl ${args[0]} failed: ${stderr.trim() || error.message}`))
        else resolve(stdout)
      },
    )
    // etcdctl may end before it has read its input; its exit code tells.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
