import type { METRICS, MetricName } from './metric-table.ts'

type NamesOf<Type extends string> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never
}[MetricName]

export type MetricLabels<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]['labels'][number], string>>

/** Where the rooms report figures to. All calls are synchronous, cheap and never throw. */
export interface Metrics {
  /** Adds `by` (default 1, never negative) to a counter. */
  add<Name extends NamesOf<'counter'>>(name: Name, labels: MetricLabels<Name>, by?: number): void
  set<Name extends NamesOf<'gauge'>>(name: Name, labels: MetricLabels<Name>, value: number): void
  /** Records one duration, in seconds. */
  observe<Name extends NamesOf<'histogram'>>(name: Name, labels: MetricLabels<Name>, seconds: number): void
}

/** Default where the caller brings no metrics: counts nothing. */
export const noMetrics: Metrics = {
  add() {},
  set() {},
  observe() {},
}
