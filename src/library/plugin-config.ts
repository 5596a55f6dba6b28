import type { EtcdOptions } from '../etcd/options.ts'
import { checkPositive } from './arguments.ts'
import { type ConnectionConfig, resolveConnectionConfig } from './connection-config.ts'

/** The settings of etcd.conf, those for the plugin included. */
export interface PluginConfig extends ConnectionConfig {
  /** Compact etcd once a period, milliseconds. Default: never. */
  readonly autoCompactMs?: number | undefined
  /** Have everybody read again after etcd was away. Default false. */
  readonly resyncAfterReconnect?: boolean | undefined
  /** Start without etcd. Default false. */
  readonly allowDelayedStart?: boolean | undefined
  /** The first pause between two tries of a delayed start; they grow to ten times as long. Default 2,000. */
  readonly reconnectIntervalMs?: number | undefined
  /** What a broker layer does with variables on reading. Default false. */
  readonly expandEnvVariables?: boolean | undefined
}

/** Where the configuration of a plugin comes from. */
export interface PluginConfigSource {
  /** Settings, or the path of an etcd.conf. Default: ETCD_CONFIG, then `etcd.conf`. */
  readonly config?: PluginConfig | string | undefined
  /** Where a path is looked for that does not exist as it is. Default: CONFIG_DIR, then the working directory. */
  readonly configDir?: string | undefined
}

export interface LoadedPluginConfig {
  readonly etcd: EtcdOptions
  /** One line each. */
  readonly warnings: readonly string[]
}

/**
 * undefined = there is none, and none was asked for: the plugin is disabled. Rejects with `ConfigInvalid`, also when a
 * path was given and nothing is there, and `InvalidArgument`.
 */
export async function loadPluginConfig(
  { config, configDir }: PluginConfigSource,
  env: NodeJS.ProcessEnv = process.env,
): Promise<LoadedPluginConfig | undefined> {
  if (typeof config === 'object') return { etcd: resolvePluginConfig(config, env), warnings: [] }
  const directory = configDir ?? env.CONFIG_DIR ?? '.'
  const given = config ?? (env.ETCD_CONFIG || undefined)
  if (given === undefined && (await isMissing(directory, env))) return undefined
  const { loadConnection } = await import('../config-files/load-connection.ts')
  return await loadConnection({ etcdConfig: given, configDir: directory }, env)
}

function resolvePluginConfig(config: PluginConfig, env: NodeJS.ProcessEnv): EtcdOptions {
  checkPositive(config.autoCompactMs, 'autoCompactMs')
  checkPositive(config.reconnectIntervalMs, 'reconnectIntervalMs')
  return {
    ...resolveConnectionConfig(config, env),
    autoCompactMs: config.autoCompactMs ?? 0,
    resyncAfterReconnect: config.resyncAfterReconnect ?? false,
    allowDelayedStart: config.allowDelayedStart,
    reconnectIntervalMs: config.reconnectIntervalMs ?? 2000,
    expandEnvVariables: config.expandEnvVariables ?? false,
  }
}

/** Nothing says where etcd is: no file where one would be looked for, no variable. */
async function isMissing(configDir: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (env.ETCD_ENDPOINTS || env.ETCDV3_ENDPOINTS) return false
  const [{ locate }, { ConfigSources }] = await Promise.all([
    import('../config-files/locate.ts'),
    import('../config-files/config-sources.ts'),
  ])
  const { path } = await locate({ given: undefined, configDir, fallback: 'etcd.conf' }, new ConfigSources(undefined))
  return path === undefined
}
