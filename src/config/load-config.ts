import { ConfigError, formatProblem } from '../config-files/config-error.ts'
import { type ConfigRecording, ConfigSources } from '../config-files/config-sources.ts'
import { Findings } from '../config-files/findings.ts'
import { type Environment, loadEtcdConf } from '../config-files/load-etcd-conf.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import { configHash } from './config-hash.ts'
import { loadMirrors } from './load-mirrors.ts'
import type { ProcessConfig } from './process-config.ts'

/** What flags and their variables say about the configuration; undefined = not given. */
export interface ConfigFlags {
  /** mirror.yaml, or a directory of `*.yaml`. */
  readonly config: string | undefined
  readonly etcdConfig: string | undefined
  /** Where both files are looked for. */
  readonly configDir: string
  /** Overrides `http.bind`. */
  readonly httpBind: string | undefined
}

export interface LoadedConfig {
  readonly etcd: EtcdOptions
  /** Where `etcd` comes from, for people: a path, a variable or both. */
  readonly etcdSource: string
  /** Changes exactly when connections have to be made anew: with an option or a TLS file, not with the password, nor auto-compact. */
  readonly connectionHash: string
  readonly process: ProcessConfig
  /** One line each. */
  readonly warnings: readonly string[]
  readonly recording: ConfigRecording
}

/** What came of reading the configuration once, and from where. */
export type ConfigAttempt =
  | { readonly ok: true; readonly config: LoadedConfig; readonly sources: ConfigSources }
  | { readonly ok: false; readonly error: ConfigError; readonly sources: ConfigSources }

export interface ReadConfigOptions {
  readonly flags: ConfigFlags
  readonly env: Environment
  /** Read this instead of the configuration files; credentials come from disk all the same. */
  readonly recording?: ConfigRecording | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Finds, reads and checks etcd.conf and mirror.yaml. Opens no connection and writes nothing. Rejects only with the
 * signal's reason.
 */
export async function readConfig({ flags, env, recording, signal }: ReadConfigOptions): Promise<ConfigAttempt> {
  signal?.throwIfAborted()
  const sources = new ConfigSources(recording)
  const findings = new Findings(sources)
  const { config, configDir, httpBind } = flags
  const etcd = await loadEtcdConf({ given: flags.etcdConfig, configDir }, env, findings, signal)
  const mirrors = await loadMirrors({ given: config, configDir, httpBind }, findings, signal)
  if (etcd === undefined || mirrors === undefined || findings.problems.length > 0) {
    return { ok: false, error: new ConfigError(findings.problems, findings.warnings), sources }
  }
  const { certFile, keyFile, caFile } = etcd.options.tls ?? {}
  const loaded: LoadedConfig = {
    etcd: etcd.options,
    etcdSource: etcd.source,
    connectionHash: configHash([{ ...etcd.options, autoCompactMs: 0 }, sources.digestOf([certFile, keyFile, caFile])]),
    process: mirrors,
    warnings: findings.warnings.map(formatProblem),
    recording: sources.recording,
  }
  return { ok: true, config: loaded, sources }
}

/**
 * As `readConfig`.
 * @throws ConfigError with every problem of both files; not retryable.
 * @throws the signal's reason when aborted.
 */
export async function loadConfig(flags: ConfigFlags, env: Environment, signal?: AbortSignal): Promise<LoadedConfig> {
  const attempt = await readConfig({ flags, env, signal })
  if (!attempt.ok) throw attempt.error
  return attempt.config
}
