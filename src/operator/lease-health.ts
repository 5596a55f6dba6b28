import { nameOf } from '../kube/kube-client.ts'
import type { Lease } from '../kube/lease.ts'
import type { HealthResult } from '../observe/health-registry.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { withHint } from './with-hint.ts'

type LeaseAnswers = Pick<Lease, 'ref' | 'silentMs' | 'failure'>

/**
 * Whether the API let this process do with the Lease what it has to, at most so many milliseconds ago. Who waits for
 * another holder is as well as who leads.
 */
export function leaseHealth({ ref, silentMs, failure }: LeaseAnswers, maxSilentMs: number): HealthResult {
  if (silentMs !== undefined && silentMs <= maxSilentMs) return { ok: true, message: 'answered' }
  const since = silentMs === undefined ? '' : ` for ${Math.round(silentMs / 1000)} s`
  const why = failure instanceof EtcdMirrorError ? withHint(failure) : 'no answer'
  return { ok: false, message: `${nameOf(ref)} could not be read or written${since}: ${why}` }
}
