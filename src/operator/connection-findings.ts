import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Finding, Findings } from './conditions.ts'
import type { ConnectionState } from './connections.ts'
import { withHint } from './with-hint.ts'

const AS_EXPECTED: Finding = { status: 'False', reason: 'AsExpected', message: '' }

/**
 * The truth table of a connection's conditions. `error`: of asking etcd for its status; that this is not permitted shows
 * that etcd is there.
 */
export function connectionFindings(
  { shared, fault }: Pick<ConnectionState, 'shared' | 'fault'>,
  error: EtcdMirrorError | undefined,
): Findings {
  const source = shared === undefined ? notUsed() : sourceOf(error)
  if (fault === undefined) {
    const isConnected = source.status === 'True'
    const ready: Finding = isConnected ? { ...source, message: 'Mirrors can use it.' } : { ...source, status: 'False' }
    return { Ready: ready, SourceConnected: source, Degraded: AS_EXPECTED, Stalled: AS_EXPECTED }
  }
  const { reason, message } = fault
  const isInUse = shared !== undefined
  const kept = `${message}. Mirrors go on with what was written before.`
  return {
    Ready: { status: 'False', reason, message },
    SourceConnected: source,
    Degraded: isInUse ? { status: 'True', reason, message: kept } : AS_EXPECTED,
    Stalled: { status: 'True', reason, message },
  }
}

function sourceOf(error: EtcdMirrorError | undefined): Finding {
  if (error === undefined) return { status: 'True', reason: 'Connected', message: 'etcd answers.' }
  if (error.code === 'PermissionDenied') {
    return { status: 'True', reason: 'Connected', message: 'etcd answers, but not what its version is.' }
  }
  return { status: 'False', reason: error.code, message: withHint(error) }
}

function notUsed(): Finding {
  return { status: 'Unknown', reason: 'NotConnected', message: 'It cannot be used yet.' }
}
