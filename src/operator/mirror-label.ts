import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'

/** Sinks know the mirror by its name alone; in the operator two namespaces may have one of that name each. */
export function labelMetrics(metrics: Metrics, mirror: string): Metrics {
  const relabelled = <Labels extends object>(labels: Labels): Labels =>
    'mirror' in labels ? { ...labels, mirror } : labels
  return {
    add: (name, labels, by) => metrics.add(name, relabelled(labels), by),
    set: (name, labels, value) => metrics.set(name, relabelled(labels), value),
    observe: (name, labels, seconds) => metrics.observe(name, relabelled(labels), seconds),
  }
}

/** As `labelMetrics`, for the field of log lines. */
export function labelLogger(logger: Logger, mirror: string): Logger {
  return {
    debug: (fields, message) => logger.debug({ ...fields, mirror }, message),
    info: (fields, message) => logger.info({ ...fields, mirror }, message),
    warn: (fields, message) => logger.warn({ ...fields, mirror }, message),
    error: (fields, message) => logger.error({ ...fields, mirror }, message),
  }
}
