import type { EtcdSeries } from '../rig/ensure.mjs'

/** The flags that every etcd of the tests gets. */
export const TEST_FLAGS: readonly string[] = [
  '--unsafe-no-fsync',
  '--max-request-bytes=33554432',
  '--max-txn-ops=10000',
  '--quota-backend-bytes=8589934592',
  '--log-level=error',
]

/** The flag that sets how often etcd tells idle watches their progress; it was experimental before 3.6. */
export function progressNotifyFlag(series: EtcdSeries, interval: string): string {
  const isExperimental = series === '3.4' || series === '3.5'
  return `--${isExperimental ? 'experimental-' : ''}watch-progress-notify-interval=${interval}`
}
