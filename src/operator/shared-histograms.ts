import type { Metrics } from '../util/metrics.ts'

/** Of thousands of mirrors each would have a dozen series a histogram: they share one, of the mirror "". */
export function sharedHistograms(metrics: Metrics): Metrics {
  return {
    add: metrics.add,
    set: metrics.set,
    observe: (name, labels, seconds) =>
      metrics.observe(name, 'mirror' in labels ? { ...labels, mirror: '' } : labels, seconds),
  }
}
