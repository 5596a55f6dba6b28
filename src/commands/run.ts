import { KubeAccess } from '../assemble/kube-access.ts'
import { Reloader } from '../assemble/reloader.ts'
import { RunningProcess } from '../assemble/running-process.ts'
import { type StartConfig, startConfig } from '../assemble/start-config.ts'
import { type LoadedConfig, readConfig } from '../config/load-config.ts'
import { withoutAfterHooks } from '../config/without-after-hooks.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetrics, type MetricsRegistry } from '../observe/metrics-registry.ts'
import { readHead } from '../replication/head.ts'
import { type HttpServer, startHttpServer } from '../server/http-server.ts'
import { SeedHealthTracker } from '../server/seed-health-tracker.ts'
import { systemClock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { noMetrics } from '../util/metrics.ts'
import type { CommandContext } from './command-context.ts'
import { drainable } from './drainable.ts'
import { EXIT_CODES } from './exit-code.ts'
import { keepHeapSmall } from './keep-heap-small.ts'
import { ProgressBar } from './progress-bar.ts'
import type { RunFlags } from './run-flags.ts'
import { runOnce } from './run-once.ts'

/**
 * `etcd-mirror run`: mirrors until the signal aborts, then drains and resolves to 0. With `--one-time` it resolves once
 * every copy equals etcd, with `--dry-run` once it has said what would be published. Probes answer before etcd is asked for
 * anything.
 */
export async function run(flags: RunFlags, context: CommandContext): Promise<number> {
  using bar = new ProgressBar(context.stderr, flags.logFormat === 'text')
  const logger = createLogger({ level: flags.logLevel, format: flags.logFormat, destination: bar })
  if (flags.dryRun) return await dryRun(flags, context, logger)
  try {
    await mirror(flags, context, logger, bar)
  } catch (error) {
    const isStopped = context.signal.aborted && error === context.signal.reason
    if (!isStopped || flags.oneTime) throw error
  }
  logger.info({}, 'stopped')
  return EXIT_CODES.done
}

async function dryRun(flags: RunFlags, { env, signal, version }: CommandContext, logger: Logger): Promise<number> {
  const { runDry } = await import('./run-dry.ts')
  const { config } = await startConfig({ flags, env, signal }, logger)
  for (const warning of [...flags.warnings, ...config.warnings]) logger.warn({ warning }, 'configuration')
  const kube = new KubeAccess({ env, version, clock: systemClock, metrics: noMetrics })
  try {
    return await runDry(config, { kube, allowKinds: flags.allowKinds, signal }, logger)
  } finally {
    await kube.close()
  }
}

async function mirror(flags: RunFlags, context: CommandContext, logger: Logger, bar: ProgressBar): Promise<void> {
  const { env, signal, version } = context
  const { allowKinds } = flags
  keepHeapSmall('Reading')
  const start = await startConfig({ flags, env, signal }, logger)
  for (const warning of [...flags.warnings, ...start.config.warnings]) logger.warn({ warning }, 'configuration')
  const metrics = createMetrics()
  using running = await RunningProcess.open(startedWith(start.config, flags), {
    version,
    clock: systemClock,
    logger,
    metrics,
    env,
    allowKinds,
  })
  logStart(logger, start.config, version)
  bar.follow(() => running.status())
  if (flags.oneTime) await runOnce(running, { signal, timeoutMs: flags.timeoutMs, clock: systemClock })
  else await serve({ running, start, flags, context, logger, metrics })
}

function startedWith(config: LoadedConfig, { skipAfterHooks }: RunFlags): LoadedConfig {
  return skipAfterHooks ? { ...config, process: withoutAfterHooks(config.process) } : config
}

interface ServeOptions {
  readonly running: RunningProcess
  readonly start: StartConfig
  readonly flags: RunFlags
  readonly context: CommandContext
  readonly logger: Logger
  readonly metrics: MetricsRegistry
}

async function serve(options: ServeOptions): Promise<void> {
  const { running, start, flags, context, logger, metrics } = options
  const { env, signal } = context
  const reloader = new Reloader({
    start,
    running,
    read: (readSignal, recording) => readConfig({ flags, env, signal: readSignal, recording }),
    clock: systemClock,
    logger,
    metrics: metrics.metrics,
  })
  const server = await openServer(options, reloader)
  try {
    if (start.config.etcd.allowDelayedStart === false) await requireEtcd(running, signal)
    context.onHangup(() => reloader.reloadAndResync())
    const ended = Promise.all([running.run(signal, { compacts: true }), reloader.run(signal)])
    const follow = () => keepHeapSmall('Following')
    void running.synced().then(follow, follow)
    await drainable(ended, flags.shutdownGraceMs, signal, logger)
  } finally {
    await server.close()
  }
}

function openServer({ running, context, logger, metrics }: ServeOptions, reloader: Reloader): Promise<HttpServer> {
  const startedAt = new Date()
  const { version } = context
  const seed = new SeedHealthTracker({ version, clock: systemClock })
  return startHttpServer({
    bind: running.config.process.http.bind,
    health: running.health,
    metrics,
    status: () => ({
      version,
      startedAt,
      config: reloader.status(),
      compaction: running.compaction(),
      mirrors: running.status(),
    }),
    seedHealth: () => seed.observe(running.status()),
    logger,
  })
}

/** `allow-delayed-start: false` was written: without etcd the process is not to start at all. */
async function requireEtcd({ client, config }: RunningProcess, signal: AbortSignal): Promise<void> {
  const [first] = config.process.mirrors
  if (client && first) await readHead(client, first.prefix, { signal })
}

function logStart(
  logger: Logger,
  { etcd, etcdSource, process: { mirrors, configFiles } }: LoadedConfig,
  version: string,
) {
  const fields = { version, node: process.version, endpoints: etcd.endpoints, tls: etcd.tls !== undefined }
  logger.info({ ...fields, etcdConfig: etcdSource, config: configFiles, mirrors: mirrors.length }, 'starting')
  if (!etcd.tls && !etcd.insecureTransport && etcd.endpoints.some((endpoint) => !isLoopback(endpoint))) {
    logger.warn(
      { endpoints: etcd.endpoints },
      'etcd is reached without TLS; write insecure-transport: true if that is meant',
    )
  }
}

function isLoopback(endpoint: string): boolean {
  return /^(127\.|localhost:|\[::1\])/.test(endpoint)
}
