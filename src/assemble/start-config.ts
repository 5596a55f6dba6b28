import { lastAcceptedConfig } from '../config/accepted-config.ts'
import { type ConfigAttempt, type LoadedConfig, type ReadConfigOptions, readConfig } from '../config/load-config.ts'
import type { Logger } from '../util/logger.ts'

/** What a process starts with. */
export interface StartConfig {
  readonly config: LoadedConfig
  /** What the files came to: not `config` when they are broken. */
  readonly attempt: ConfigAttempt
}

/**
 * The configuration of the files; while they are broken, the one that was accepted last, said aloud. Rejects with the
 * files' `ConfigError` when there is none, and with the signal's reason.
 */
export async function startConfig(options: Omit<ReadConfigOptions, 'recording'>, logger: Logger): Promise<StartConfig> {
  const attempt = await readConfig(options)
  if (attempt.ok) return { config: attempt.config, attempt }
  const accepted = await lastAcceptedConfig(attempt, options)
  if (accepted === undefined) throw attempt.error
  const { config, path, acceptedAt } = accepted
  logger.error(
    { problems: attempt.error.message.split('\n'), accepted: path, acceptedAt },
    'the configuration is broken; running with the one that was accepted last',
  )
  return { config, attempt }
}
