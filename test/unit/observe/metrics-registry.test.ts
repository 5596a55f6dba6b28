import { describe, expect, test } from 'vitest'

import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { PROCESS_METRICS } from '../../../src/observe/process-metrics.ts'
import { METRICS, type MetricDefinition } from '../../../src/util/metric-table.ts'

const TABLE: [string, MetricDefinition][] = Object.entries(METRICS)

interface Page {
  readonly help: Map<string, string>
  readonly type: Map<string, string>
  readonly samples: Map<string, number>
}

/** Reads the text format strictly: a line it does not understand fails the test. */
function parse(text: string): Page {
  const page: Page = { help: new Map(), type: new Map(), samples: new Map() }
  for (const line of text.split('\n').filter((it) => it !== '')) {
    const [, kind = '', name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === 'HELP') page.help.set(name, rest)
    else if (kind === 'TYPE') page.type.set(name, rest)
    else page.samples.set(...sample(line))
  }
  return page
}

function sample(line: string): [string, number] {
  const [, series, value] = /^([a-z_]+(?:\{(?:[a-z_]+="[^"]*",?)+\})?) (\S+)$/.exec(line) ?? []
  if (series === undefined || value === undefined) throw new Error(`not a sample: ${line}`)
  return [series, value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value)]
}

describe('createMetrics', () => {
  test('renders HELP and TYPE for every metric of the table and of the process', async () => {
    const page = parse(await createMetrics().render())
    for (const [name, { type, help }] of [...TABLE, ...Object.entries(PROCESS_METRICS)]) {
      expect(page.type.get(name), name).toBe(type)
      expect(page.help.get(name), name).toBe(help)
    }
  })

  test('declareMirror brings every series of the mirror into being at its start value', async () => {
    const registry = createMetrics()
    registry.declareMirror('app')
    const { samples } = parse(await registry.render())
    for (const [name, { type, labels, initial = [{}], start = 0 }] of TABLE) {
      if (!labels.includes('mirror')) continue
      for (const extra of initial) {
        const pairs = Object.entries({ mirror: 'app', ...extra }).map(([label, value]) => `${label}="${value}"`)
        const series = `${name}${type === 'histogram' ? '_count' : ''}{${pairs.join(',')}}`
        expect(samples.get(series), series).toBe(start)
      }
    }
    expect(samples.get('etcd_mirror_staleness_seconds{mirror="app"}')).toBe(Number.POSITIVE_INFINITY)
  })

  test('declareMirror leaves out what has many series a mirror where there are too many mirrors', async () => {
    const registry = createMetrics()
    registry.declareMirror('a/app', { sparse: true })
    const series = [...parse(await registry.render()).samples.keys()].filter((it) => it.includes('mirror="a/app"'))
    expect(series).toContain('etcd_mirror_ready{mirror="a/app"}')
    expect(series.filter((it) => it.includes('_bucket{') || it.includes('reason='))).toEqual([])
  })

  test('forgetMirror takes every series of the mirror away and none of another; it can be declared again', async () => {
    const registry = createMetrics()
    for (const name of ['app', 'app2']) registry.declareMirror(name)
    const both = parse(await registry.render()).samples
    registry.metrics.add('etcd_mirror_resync_total', { mirror: 'app', reason: 'not declared' })
    registry.metrics.observe('etcd_mirror_publish_duration_seconds', { mirror: 'app' }, 1)
    registry.forgetMirror('app')
    const left = parse(await registry.render()).samples
    const series = (samples: ReadonlyMap<string, number>) => [...samples.keys()].filter((it) => it.includes('mirror="'))
    expect(series(left)).toEqual(series(both).filter((it) => it.includes('mirror="app2"')))
    registry.declareMirror('app')
    expect(series(parse(await registry.render()).samples).toSorted()).toEqual(series(both).toSorted())
    expect(parse(await registry.render()).samples.get('etcd_mirror_publish_duration_seconds_count{mirror="app"}')).toBe(
      0,
    )
  })

  // What looks at the series of all mirrors for each takes minutes here.
  test('forgetMirror of thousands, one after the other', async () => {
    const registry = createMetrics()
    const names = Array.from({ length: 5000 }, (_, index) => `tenant/${index}`)
    for (const name of names) {
      registry.declareMirror(name, { sparse: true })
      registry.metrics.add('etcd_mirror_sync_total', { mirror: name, result: 'success' })
    }
    for (const name of names) registry.forgetMirror(name)
    expect(await registry.render()).not.toContain('mirror="tenant/')
  })

  test('has the series that belong to no mirror from the start', async () => {
    const { samples } = parse(await createMetrics().render())
    expect(samples.get('etcd_mirror_etcd_requests_total{method="range",result="Unavailable"}')).toBe(0)
  })

  test('declareMirror a second time leaves what was counted', async () => {
    const registry = createMetrics()
    registry.declareMirror('app')
    registry.metrics.set('etcd_mirror_keys', { mirror: 'app' }, 7)
    registry.metrics.observe('etcd_mirror_publish_duration_seconds', { mirror: 'app' }, 0.1)
    registry.declareMirror('app')
    const { samples } = parse(await registry.render())
    expect(samples.get('etcd_mirror_keys{mirror="app"}')).toBe(7)
    expect(samples.get('etcd_mirror_publish_duration_seconds_count{mirror="app"}')).toBe(1)
  })

  test('counts, sets and observes', async () => {
    const registry = createMetrics()
    registry.metrics.add('etcd_mirror_events_total', { mirror: 'app', type: 'put' })
    registry.metrics.add('etcd_mirror_events_total', { mirror: 'app', type: 'put' }, 4)
    registry.metrics.set('etcd_mirror_published_revision', { mirror: 'app' }, 17)
    registry.metrics.observe('etcd_mirror_publish_duration_seconds', { mirror: 'app' }, 0.002)
    const { samples } = parse(await registry.render())
    expect(samples.get('etcd_mirror_events_total{mirror="app",type="put"}')).toBe(5)
    expect(samples.get('etcd_mirror_published_revision{mirror="app"}')).toBe(17)
    const bucket = (le: string) => samples.get(`etcd_mirror_publish_duration_seconds_bucket{le="${le}",mirror="app"}`)
    expect([bucket('0.001'), bucket('0.0025'), bucket('+Inf')]).toEqual([0, 1, 1])
  })

  test('ignores figures that no counter or histogram can take, instead of throwing into the caller', async () => {
    const { metrics, render } = createMetrics()
    const labels = { mirror: 'app', type: 'put' } as const
    for (const by of [-1, Number.NaN, Number.POSITIVE_INFINITY]) metrics.add('etcd_mirror_events_total', labels, by)
    metrics.observe('etcd_mirror_publish_duration_seconds', { mirror: 'app' }, Number.NaN)
    const { samples } = parse(await render())
    expect([...samples.keys()].filter((series) => series.includes('mirror="app"'))).toEqual([])
  })

  test('beforeRender sets gauges of the present anew at every render', async () => {
    const registry = createMetrics()
    let staleness = 1
    registry.beforeRender(() => {
      registry.metrics.set('etcd_mirror_staleness_seconds', { mirror: 'app' }, staleness++)
    })
    const series = 'etcd_mirror_staleness_seconds{mirror="app"}'
    expect(parse(await registry.render()).samples.get(series)).toBe(1)
    expect(parse(await registry.render()).samples.get(series)).toBe(2)
  })

  test('reads plausible facts of the process, and counters do not add up over scrapes', async () => {
    const registry = createMetrics()
    await registry.render()
    const { samples } = parse(await registry.render())
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e6)
    expect(samples.get('process_open_fds')).toBeGreaterThan(2)
    const cpu = process.cpuUsage()
    expect(samples.get('process_cpu_seconds_total')).toBeLessThanOrEqual((cpu.user + cpu.system) / 1e6)
  })

  test('two registries share nothing', async () => {
    const [one, other] = [createMetrics(), createMetrics()]
    one.declareMirror('app')
    expect(await other.render()).not.toContain('mirror="app"')
  })
})
