import type { MirrorFailure } from '../mirror/mirror-status.ts'
import type { ErrorCode } from '../util/etcd-mirror-error.ts'
import { isSourceFailure } from './source-failure.ts'

const KEYLESS: ReadonlySet<string> = new Set<ErrorCode>([
  'LimitExceeded',
  'EmptyRefused',
  'DeletesRefused',
  'SeedUnusable',
  'HookVetoed',
  'HookFailed',
])

/** Whether the text of a failure certainly names no key, so that everybody who can reach the port may read it. */
export function namesNoKey(failure: MirrorFailure): boolean {
  return isSourceFailure(failure) || KEYLESS.has(failure.reason)
}
