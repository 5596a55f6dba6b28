import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { metricsPage } from '../../../src/observe/metrics-page.ts'

test('the page is the one that the library of the metrics writes', async () => {
  const registry = new Registry()
  const common = { registers: [registry], labelNames: ['mirror', 'result'] }
  const counter = new Counter({ ...common, name: 'some_total', help: 'Of a \\ and\na second line.' })
  counter.inc({ mirror: 'a "quoted"\\ \n name', result: 'ok' }, 3)
  counter.inc({ mirror: 'b', result: 'error' }, 0.5)
  const gauge = new Gauge({ ...common, name: 'some_gauge', help: 'Of everything.' })
  for (const value of [0, -1.5, 1e21, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    gauge.set({ mirror: `of ${value}` }, value)
  }
  new Gauge({ name: 'plain', help: 'Without labels.', registers: [registry] }).set(7)
  new Gauge({ ...common, name: 'nothing_yet', help: 'No series.' })
  const histogram = new Histogram({ ...common, name: 'some_seconds', help: 'Of durations.', buckets: [0.1, 1] })
  histogram.observe({ mirror: 'a', result: 'ok' }, 0.5)
  histogram.observe({ mirror: 'b', result: 'ok' }, 5)
  const sorted = (page: string) =>
    page.split('\n').map((line) => line.replace(/\{(.*)\}/, (_, labels) => `{${[...labels.split(',')].sort()}}`))
  expect(sorted(await metricsPage(registry))).toEqual(sorted(await registry.metrics()))
})

test('what is no number is written as Prometheus reads it', async () => {
  const registry = new Registry()
  new Gauge({ name: 'unknown', help: 'Not read.', registers: [registry] }).set(Number.NaN)
  expect(await metricsPage(registry)).toBe('# HELP unknown Not read.\n# TYPE unknown gauge\nunknown NaN\n')
})
