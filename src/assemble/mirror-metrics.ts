import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { MetricsRegistry } from '../observe/metrics-registry.ts'

/** Says what runs, and sets at each scrape what is a function of the present. */
export function registerMirrorMetrics(
  { metrics, beforeRender }: MetricsRegistry,
  status: () => readonly MirrorStatus[],
  version: string,
): void {
  metrics.set('etcd_mirror_build_info', { version, node: process.version }, 1)
  beforeRender(() => {
    for (const { name, stalenessMs = Number.POSITIVE_INFINITY } of status()) {
      metrics.set('etcd_mirror_staleness_seconds', { mirror: name }, stalenessMs / 1000)
    }
  })
}
