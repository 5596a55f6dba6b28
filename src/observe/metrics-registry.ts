import { Counter, Gauge, Histogram, Registry } from 'prom-client'

import { METRICS, type MetricDefinition } from '../util/metric-table.ts'
import type { Metrics } from '../util/metrics.ts'
import { metricsPage } from './metrics-page.ts'
import { registerProcessMetrics } from './process-metrics.ts'
import { SeriesOfMirrors } from './series-of-mirrors.ts'

type Labels = Readonly<Record<string, string>>

/** The metrics of one process and their page. */
export interface MetricsRegistry {
  /** Where the rooms report to. */
  readonly metrics: Metrics
  /** Of the page. */
  readonly contentType: string
  /**
   * Brings every series of a mirror into being at its start value, so that rates and absences are right from the start.
   * Idempotent. `sparse`: only gauges and counters with no other label, for thousands of mirrors; the others come into being
   * when they are reported.
   */
  declareMirror(name: string, options?: { readonly sparse?: boolean }): void
  /** Takes every series of a mirror away: it is not configured any more and reports nothing more. Looks at no other mirror. */
  forgetMirror(name: string): void
  /** Called at the start of every render, to set the gauges that are functions of the present. Must not throw. */
  beforeRender(callback: () => void): void
  /** The page in Prometheus text format. */
  render(): Promise<string>
}

/** A registry of its own (prom-client's global one is never touched) with every metric of the table and of the process. */
export function createMetrics(): MetricsRegistry {
  const registry = new Registry()
  const instruments = new Map(Object.entries(METRICS).map(([name, it]) => [name, instrument(registry, name, it)]))
  registerProcessMetrics(registry)
  const declared = new Set<string>()
  const callbacks: (() => void)[] = []
  return {
    contentType: registry.contentType,
    metrics: reportTo(instruments),
    declareMirror(name, { sparse = false } = {}) {
      if (declared.has(name)) return
      declared.add(name)
      for (const it of instruments.values()) if (!sparse || it.isPlain) it.declareMirror(name)
    },
    forgetMirror(name) {
      declared.delete(name)
      for (const it of instruments.values()) it.forgetMirror(name)
    },
    beforeRender(callback) {
      callbacks.push(callback)
    },
    async render() {
      for (const callback of callbacks) callback()
      return await metricsPage(registry)
    },
  }
}

interface Instrument {
  /** One series a mirror. */
  readonly isPlain: boolean
  record(labels: Labels, value: number): void
  declareMirror(name: string): void
  forgetMirror(name: string): void
}

function reportTo(instruments: ReadonlyMap<string, Instrument>): Metrics {
  const record = (name: string, labels: Labels, value: number) => instruments.get(name)?.record(labels, value)
  return {
    // prom-client throws on these, and a wrong figure must never stop a mirror.
    add: (name, labels, by = 1) => (by >= 0 && Number.isFinite(by) ? record(name, labels, by) : undefined),
    set: record,
    observe: (name, labels, seconds) => (Number.isFinite(seconds) ? record(name, labels, seconds) : undefined),
  }
}

function instrument(registry: Registry, name: string, definition: MetricDefinition): Instrument {
  const { record, declare, remove } = vendorMetric(registry, name, definition)
  const { labels, initial } = definition
  const isPlain = definition.type !== 'histogram' && labels.length === 1
  if (!labels.includes('mirror')) {
    for (const at of initial ?? []) declare(at)
    return { isPlain, record, declareMirror() {}, forgetMirror() {} }
  }
  const series = new SeriesOfMirrors(labels)
  return {
    isPlain,
    record(at, value) {
      series.note(at)
      record(at, value)
    },
    declareMirror(mirror) {
      for (const more of initial ?? [{}]) {
        const at = { mirror, ...more }
        series.note(at)
        declare(at)
      }
    },
    forgetMirror(mirror) {
      for (const at of series.take(mirror)) remove(at)
    },
  }
}

interface VendorMetric {
  readonly record: (labels: Labels, value: number) => void
  readonly declare: (labels: Labels) => void
  /** Does nothing when there is no such series. */
  readonly remove: (labels: Labels) => void
}

function vendorMetric(
  registry: Registry,
  name: string,
  { type, help, labels, ...more }: MetricDefinition,
): VendorMetric {
  const common = { name, help, labelNames: [...labels], registers: [registry] }
  switch (type) {
    case 'counter': {
      const counter = new Counter(common)
      return {
        record: (at, value) => counter.inc(at, value),
        declare: (at) => counter.inc(at, 0),
        remove: (at) => counter.remove(at),
      }
    }
    case 'gauge': {
      const gauge = new Gauge(common)
      return {
        record: (at, value) => gauge.set(at, value),
        declare: (at) => gauge.set(at, more.start ?? 0),
        remove: (at) => gauge.remove(at),
      }
    }
    case 'histogram': {
      const histogram = new Histogram(more.buckets === undefined ? common : { ...common, buckets: [...more.buckets] })
      return {
        record: (at, value) => histogram.observe(at, value),
        declare: (at) => histogram.zero(at),
        remove: (at) => histogram.remove(at),
      }
    }
  }
}
