import type { EtcdOptions } from '../etcd/options.ts'
import { ConfigError, formatProblem } from './config-error.ts'
import { ConfigSources } from './config-sources.ts'
import { Findings } from './findings.ts'
import { type Environment, loadEtcdConf } from './load-etcd-conf.ts'

export interface LoadedConnection {
  readonly etcd: EtcdOptions
  /** One line each. */
  readonly warnings: readonly string[]
}

/**
 * Finds, reads and checks etcd.conf alone, for what needs no mirror.
 * @throws ConfigError with every problem; not retryable.
 * @throws the signal's reason when aborted.
 */
export async function loadConnection(
  { etcdConfig, configDir }: { readonly etcdConfig: string | undefined; readonly configDir: string },
  env: Environment,
  signal?: AbortSignal,
): Promise<LoadedConnection> {
  const findings = new Findings(new ConfigSources(undefined))
  const loaded = await loadEtcdConf({ given: etcdConfig, configDir }, env, findings, signal)
  if (loaded === undefined || findings.problems.length > 0) throw new ConfigError(findings.problems)
  return { etcd: loaded.options, warnings: findings.warnings.map(formatProblem) }
}
