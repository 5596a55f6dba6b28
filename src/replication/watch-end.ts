import { AuthError } from '../etcd/auth-error.ts'
import { CompactedError } from '../etcd/compacted-error.ts'
import type { WatchResponse } from '../etcd/messages.ts'
import { UnavailableError } from '../etcd/unavailable-error.ts'
import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { StoreResetError } from './store-reset-error.ts'

/** Why the server ended a watch. The reason may be empty; a compaction is told by its revision alone. */
export function watchCancelError({ compactRevision, cancelReason }: WatchResponse): EtcdMirrorError {
  if (compactRevision > 0) return new CompactedError('resume the watch', compactRevision)
  if (/permission denied/i.test(cancelReason)) {
    return new AuthError('PermissionDenied', 'Cannot watch: permission denied', {
      hint: 'Grant READ on the whole prefix: etcdctl role grant-permission <role> read <prefix> --prefix',
    })
  }
  if (/auth token|Unauthenticated/i.test(cancelReason)) {
    return new AuthError('AuthenticationFailed', 'Cannot watch: the server refused the auth token')
  }
  return new UnavailableError(
    'Unavailable',
    `Cannot go on watching: the server canceled the watch (${cancelReason || 'no reason given'})`,
  )
}

/** Opening the watch again at the same revision cannot cure these. */
export function isFinal(error: EtcdMirrorError): boolean {
  return error instanceof CompactedError || error instanceof StoreResetError || error.code === 'Closed'
}
