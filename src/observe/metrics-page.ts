import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'

type Labels = MetricValue<string>['labels']

/**
 * Everything in the registry in Prometheus text format, as `registry.metrics()` writes it. That remembers something of each
 * series at each call, which with thousands of mirrors takes longer than the page itself.
 */
export async function metricsPage(registry: Registry): Promise<string> {
  const metrics = await registry.getMetricsAsJSON()
  return `${metrics.map(metricText).join('\n\n')}\n`
}

function metricText({ name, help, type, values }: MetricObjectWithValues<MetricValue<string>>): string {
  const head = `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}`
  // Not added up piece by piece: that is a tree of strings, which the collector walks again and again until the page is done.
  return [head, ...values.map((value) => seriesText(name, value))].join('\n')
}

/** Histograms name the parts that they have. */
function seriesText(name: string, { metricName = name, labels, value }: MetricValue<string> & { metricName?: string }) {
  return `${metricName}${labelsText(labels)} ${numberText(value)}`
}

function labelsText(labels: Labels): string {
  let text = ''
  for (const label in labels) text += `${text === '' ? '' : ','}${label}="${escapeLabel(labels[label] ?? '')}"`
  return text === '' ? '' : `{${text}}`
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? '+Inf' : '-Inf'
}

function escapeLabel(value: string | number): string {
  return typeof value === 'number' ? String(value) : escapeText(value).replaceAll('"', '\\"')
}

function escapeText(text: string): string {
  // Hardly any needs it, and of 1,000 mirrors there are 10,000 to look at.
  if (!/[\\\n"]/.test(text)) return text
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
