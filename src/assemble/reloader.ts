import { isDeepStrictEqual } from 'node:util'
import { ConfigWatcher } from '../config/config-watcher.ts'
import type { ConfigAttempt, LoadedConfig } from '../config/load-config.ts'
import { type ConfigProblem, formatProblem } from '../config-files/config-error.ts'
import type { ConfigRecording } from '../config-files/config-sources.ts'
import type { ConfigStatus } from '../server/status-report.ts'
import type { Clock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import { Notifier } from '../util/notifier.ts'
import type { ConfigChange } from './running-process.ts'
import type { StartConfig } from './start-config.ts'

/** Files that stay the same for this long are complete: an editor is done, the links of a ConfigMap point to one state. */
const SETTLE_MS = 150
/** Network file systems tell nothing; neither does a directory that cannot be watched. */
const POLL_MS = 60_000

/** What uses the configuration: see `RunningProcess`. */
export interface ConfigUser {
  readonly config: LoadedConfig
  apply(config: LoadedConfig): Promise<ConfigChange>
  requestResync(): void
}

export interface ReloaderOptions {
  readonly start: StartConfig
  readonly running: ConfigUser
  /** Reads the files, or what was recorded. Rejects only with the signal's reason. */
  readonly read: (signal: AbortSignal, recording?: ConfigRecording) => Promise<ConfigAttempt>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What the files come to now. */
interface Reading {
  readonly attempt: ConfigAttempt
  /** The configuration in use with the credentials that stand there now, when the files are broken. */
  readonly inUse: ConfigAttempt | undefined
}

/**
 * Keeps a process's configuration equal to its files. What counts is their content: it is read when their directories
 * tell of a change, once a minute, and on request. A broken one changes nothing but what is said about it; certificates
 * are exchanged even then.
 */
export class Reloader {
  readonly #options: ReloaderOptions
  readonly #wake = new Notifier()
  #handled: string | undefined
  #paths: readonly string[]
  #loadedAt: Date
  #usesAcceptedCopy: boolean
  #lastReload: ConfigStatus['lastReload']
  #resyncRequested = false

  constructor(options: ReloaderOptions) {
    const { start, clock } = options
    this.#options = options
    this.#paths = start.attempt.sources.paths
    this.#loadedAt = new Date(clock.now())
    this.#usesAcceptedCopy = !start.attempt.ok
    if (start.attempt.ok) {
      this.#handled = digestOf({ attempt: start.attempt, inUse: undefined })
    } else {
      this.#lastReload = { at: this.#loadedAt, result: 'error', problems: start.attempt.error.problems }
    }
    this.#report(start.attempt.ok)
  }

  status(): ConfigStatus {
    return {
      loadedAt: this.#loadedAt,
      files: this.#options.running.config.process.configFiles,
      usesAcceptedCopy: this.#usesAcceptedCopy,
      lastReload: this.#lastReload,
    }
  }

  /** Reads the files soon, and then has every mirror take a snapshot. */
  reloadAndResync(): void {
    this.#resyncRequested = true
    this.#wake.notify()
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options
    using watcher = new ConfigWatcher({ onChange: () => this.#wake.notify(), logger })
    let seen = this.#wake.version
    while (!signal.aborted) {
      try {
        const isNew = await watcher.watch(this.#paths)
        if (!isNew) await this.#wake.waitAtMost(POLL_MS, seen, { clock, signal })
        seen = this.#wake.version
        await this.#turn(signal)
      } catch (err) {
        if (signal.aborted) return
        logger.error({ err }, 'reload failed unexpectedly')
        await clock.sleep(POLL_MS, signal).catch(() => undefined)
      }
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const reading = await this.#settledReading(signal)
    if (reading !== undefined) await this.#handle(reading)
    if (!this.#resyncRequested) return
    this.#resyncRequested = false
    this.#options.logger.info({}, 'taking a snapshot of every mirror')
    this.#options.running.requestResync()
  }

  /** undefined = everything stands there as it was. */
  async #settledReading(signal: AbortSignal): Promise<Reading | undefined> {
    let before: string | undefined
    for (;;) {
      await this.#options.clock.sleep(SETTLE_MS, signal)
      const reading = await this.#read(signal)
      const digest = digestOf(reading)
      if (digest === this.#handled) return undefined
      if (digest === before) {
        this.#handled = digest
        return reading
      }
      before = digest
    }
  }

  async #read(signal: AbortSignal): Promise<Reading> {
    const { read, running } = this.#options
    const attempt = await read(signal)
    const inUse = attempt.ok ? undefined : await read(signal, running.config.recording)
    this.#paths = [...new Set([...attempt.sources.paths, ...(inUse?.sources.paths ?? [])])]
    return { attempt, inUse }
  }

  async #handle({ attempt, inUse }: Reading): Promise<void> {
    if (attempt.ok) {
      await this.#take(attempt.config)
    } else {
      this.#refused(attempt.error.problems)
      if (inUse?.ok) await this.#exchangeCredentials(inUse.config)
    }
  }

  async #take(config: LoadedConfig): Promise<void> {
    const { running, start, logger, clock } = this.#options
    for (const warning of config.warnings) logger.warn({ warning }, 'configuration')
    try {
      const change = await running.apply(config)
      const now = new Date(clock.now())
      this.#loadedAt = now
      this.#usesAcceptedCopy = false
      this.#lastReload = { at: now, result: 'success', problems: [] }
      this.#report(true)
      this.#options.metrics.add('etcd_mirror_config_reloads_total', { result: 'success' })
      logger.info({ ...change }, 'configuration reloaded')
    } catch (error) {
      this.#refused(asProblems(config, error))
      return
    }
    if (!isDeepStrictEqual(config.process.http, start.config.process.http)) {
      logger.warn({}, 'http.bind changed: it counts after a restart')
    }
  }

  async #exchangeCredentials(config: LoadedConfig): Promise<void> {
    const { running, logger } = this.#options
    if (config.connectionHash === running.config.connectionHash) return
    try {
      await running.apply(config)
      logger.info({}, 'certificates exchanged')
    } catch (err) {
      logger.error({ err }, 'cannot exchange the certificates; those in use stay')
    }
  }

  #refused(problems: readonly ConfigProblem[]): void {
    const { logger, clock, metrics } = this.#options
    const isRepeated = JSON.stringify(this.#lastReload?.problems) === JSON.stringify(problems)
    this.#lastReload = { at: new Date(clock.now()), result: 'error', problems }
    this.#report(false)
    metrics.add('etcd_mirror_config_reloads_total', { result: 'error' })
    if (isRepeated) return
    logger.error({ problems: problems.map(formatProblem) }, 'the configuration is broken; the one in use stays')
  }

  #report(isSuccessful: boolean): void {
    this.#options.metrics.set('etcd_mirror_config_last_reload_successful', {}, isSuccessful ? 1 : 0)
  }
}

function digestOf({ attempt, inUse }: Reading): string {
  return `${attempt.sources.digest} ${inUse?.sources.digest ?? ''}`
}

/** A certificate was exchanged between its check and its use: its file will tell of that. */
function asProblems({ etcdSource }: LoadedConfig, error: unknown): readonly ConfigProblem[] {
  if (!(error instanceof EtcdMirrorError)) throw error
  return [{ file: etcdSource, path: '', message: error.message }]
}
