import type { MirrorFailure } from '../mirror/mirror-status.ts'
import type { ErrorCode } from '../util/etcd-mirror-error.ts'

const SOURCE: ReadonlySet<string> = new Set<ErrorCode>([
  'Unavailable',
  'DeadlineExceeded',
  'NoLeader',
  'Learner',
  'ServerBusy',
  'MessageTooLarge',
  'Compacted',
  'FutureRevision',
  'PermissionDenied',
  'AuthenticationFailed',
  'TlsRefused',
  'NoSpace',
  'Corrupt',
  'InvalidRequest',
  'ProtocolError',
  'Closed',
  'StoreReset',
])

/** Whether etcd or the way to it failed. Such an error may name endpoints and the prefix, but no key below it. */
export function isSourceFailure({ reason }: MirrorFailure): boolean {
  return SOURCE.has(reason)
}
