import { readdir } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from 'prom-client'

export interface ProcessMetric {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  /** Read at every scrape. */
  readonly read: () => number | Promise<number>
}

/**
 * Facts of the process under the names that Prometheus clients agree on. prom-client's own set is not used: it comes as
 * a whole, with a GC observer and an event-loop histogram that run all the time and were reported to leak
 * (https://github.com/siimon/prom-client/issues/490, /494, /543). Of the event loop we count busy time, which Node
 * keeps anyway: it costs nothing between scrapes and, unlike a lag sampled at the scrape, hides no burst in between.
 */
export const PROCESS_METRICS: Readonly<Record<string, ProcessMetric>> = {
  process_cpu_seconds_total: {
    type: 'counter',
    help: 'User and system CPU time of the process.',
    read: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    },
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    help: 'Resident memory of the process.',
    read: () => process.memoryUsage.rss(),
  },
  process_start_time_seconds: {
    type: 'gauge',
    help: 'Unix time at which the process began.',
    read: () => Math.round(performance.timeOrigin / 1000),
  },
  process_open_fds: {
    type: 'gauge',
    help: 'Open file descriptors; NaN where the system does not say.',
    read: openFileDescriptors,
  },
  nodejs_heap_size_used_bytes: {
    type: 'gauge',
    help: 'Used part of the JavaScript heap.',
    read: () => process.memoryUsage().heapUsed,
  },
  nodejs_heap_size_total_bytes: {
    type: 'gauge',
    help: 'Size of the JavaScript heap.',
    read: () => process.memoryUsage().heapTotal,
  },
  nodejs_external_memory_bytes: {
    type: 'gauge',
    help: 'Memory outside the JavaScript heap that belongs to objects in it, as buffers.',
    read: () => process.memoryUsage().external,
  },
  nodejs_eventloop_active_seconds_total: {
    type: 'counter',
    help: 'Time the event loop was busy; its rate is the utilization, near 1 = saturated.',
    read: () => performance.eventLoopUtilization().active / 1000,
  },
}

/** Adds the process's metrics to `registry`. They are read when it renders; nothing runs in between. */
export function registerProcessMetrics(registry: Registry): void {
  for (const [name, { type, help, read }] of Object.entries(PROCESS_METRICS)) {
    const common = { name, help, registers: [registry] }
    if (type === 'gauge') {
      const gauge: Gauge = new Gauge({ ...common, collect: async () => gauge.set(await readOrNaN(read)) })
    } else {
      const counter: Counter = new Counter({
        ...common,
        collect: async () => {
          const total = await read()
          counter.reset()
          counter.inc(total)
        },
      })
    }
  }
}

/** One that the system does not tell now, as without a free file descriptor, must not cost the whole scrape. */
async function readOrNaN(read: ProcessMetric['read']): Promise<number> {
  try {
    return await read()
  } catch {
    return Number.NaN
  }
}

async function openFileDescriptors(): Promise<number> {
  try {
    // One of them was opened to list the others.
    return (await readdir('/proc/self/fd')).length - 1
  } catch {
    return Number.NaN
  }
}
