import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { KubeAccess } from '../assemble/kube-access.ts'
import { registerMirrorMetrics } from '../assemble/mirror-metrics.ts'
import { createLogger } from '../observe/logger.ts'
import { createMetrics, type MetricsRegistry } from '../observe/metrics-registry.ts'
import { Operator } from '../operator/operator.ts'
import { startHttpServer } from '../server/http-server.ts'
import { BIND_FORMS, type HttpBind, httpSchema, parseHttpBind } from '../server/options.ts'
import { SeedHealthTracker } from '../server/seed-health-tracker.ts'
import { systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Logger } from '../util/logger.ts'
import type { CommandContext } from './command-context.ts'
import { drainable } from './drainable.ts'
import { EXIT_CODES } from './exit-code.ts'
import { keepHeapSmall } from './keep-heap-small.ts'
import type { OperatorFlags } from './operator-flags.ts'

/** `etcd-mirror operator`: makes of EtcdMirror resources mirrors, until the signal aborts; then drains and resolves to 0. */
export async function operator(flags: OperatorFlags, context: CommandContext): Promise<number> {
  const { env, version, stderr } = context
  keepHeapSmall('Operating')
  const logger = createLogger({ level: flags.logLevel, format: flags.logFormat, destination: stderr })
  for (const warning of flags.warnings) logger.warn({ warning }, 'configuration')
  const clock = systemClock
  const metrics = createMetrics()
  const kube = new KubeAccess({ env, version, clock, metrics: metrics.metrics })
  try {
    const client = await kube.connect()
    const { namespaces, leaderElection, concurrency, allowKinds } = flags
    const running = new Operator({
      client,
      namespaces,
      operatorNamespace: client.namespace,
      concurrency,
      allowKinds,
      identity: leaderElection ? `${hostname()}_${randomUUID()}` : undefined,
      clock,
      logger,
      metrics,
    })
    // There are no files, hence none that could not be read.
    metrics.metrics.set('etcd_mirror_config_last_reload_successful', {}, 1)
    registerMirrorMetrics(metrics, () => running.statuses(), version)
    logger.info({ version, node: process.version, namespaces, leaderElection }, 'starting')
    await serve(running, { flags, context, logger, metrics })
  } finally {
    await kube.close()
  }
  logger.info({}, 'stopped')
  return EXIT_CODES.done
}

interface ServeOptions {
  readonly flags: OperatorFlags
  readonly context: CommandContext
  readonly logger: Logger
  readonly metrics: MetricsRegistry
}

async function serve(running: Operator, { flags, context, logger, metrics }: ServeOptions): Promise<void> {
  const { signal, version } = context
  const startedAt = new Date()
  // It stands in the cluster: there are no files.
  const config = { loadedAt: startedAt, files: [], usesAcceptedCopy: false, lastReload: undefined }
  const seed = new SeedHealthTracker({ version, clock: systemClock })
  const server = await startHttpServer({
    bind: bindOf(flags.httpBind),
    health: running.health,
    metrics,
    status: () => ({ version, startedAt, config, compaction: undefined, mirrors: running.statuses() }),
    seedHealth: () => seed.observe(running.statuses()),
    logger,
  })
  try {
    await drainable(running.run(signal), flags.shutdownGraceMs, signal, logger)
  } finally {
    await server.close()
  }
}

function bindOf(text: string | undefined): HttpBind {
  const bind = text === undefined ? httpSchema.parse({}).bind : parseHttpBind(text)
  if (bind !== undefined) return bind
  throw new EtcdMirrorError('Usage', `--http-bind ${BIND_FORMS}`, false)
}
