/**
 * What went wrong, as one literal per thing a caller or an operator would treat differently.
 *
 * - etcd: `Unavailable` `DeadlineExceeded` `NoLeader` `Learner` `ServerBusy` `MessageTooLarge` `Compacted` `FutureRevision`
 *   `PermissionDenied` `AuthenticationFailed` `TlsRefused` `NoSpace` `Corrupt` `InvalidRequest` `ProtocolError` `Closed`
 *   `RequestTooLarge` `TooManyOperations`
 * - library, told before anything is sent: `EmptyKey` `KeyTooLarge` `InvalidRevision` `DuplicateKey` `InvalidArgument`
 *   `InvalidMessage` (not a message of the serializer) `NotConnected` (the plugin has no connection yet); `LeadershipLost`
 * - mirror: `StoreReset` (the store was proven to be another one than the one mirrored so far); held by a guard:
 *   `LimitExceeded` `EmptyRefused` `DeletesRefused` `RenderFailed` (keys of which an output cannot be made)
 *   `ValidationFailed` `HookVetoed`; `HookFailed` (after a publish); `SeedUnusable` (the fallback cannot be published)
 * - Kubernetes API: `KubeUnavailable` `KubeThrottled` `KubeDenied` `KubeNotFound` `KubeConflict` `KubeGone` `KubeInvalid`
 *   `KubeTooLarge`
 * - target: `TargetNotWritable` `TargetFull` `TargetForeign` `TargetBusy` `TargetBroken` `TargetTooLarge` (does not fit one
 *   object) `TargetConflict` (another field manager holds to what it wrote)
 * - process: `ConfigInvalid` `Usage` `AddressInUse` `Internal`
 */
export type ErrorCode =
  | 'Unavailable'
  | 'DeadlineExceeded'
  | 'NoLeader'
  | 'Learner'
  | 'ServerBusy'
  | 'MessageTooLarge'
  | 'Compacted'
  | 'FutureRevision'
  | 'PermissionDenied'
  | 'AuthenticationFailed'
  | 'TlsRefused'
  | 'NoSpace'
  | 'Corrupt'
  | 'InvalidRequest'
  | 'ProtocolError'
  | 'Closed'
  | 'RequestTooLarge'
  | 'TooManyOperations'
  | 'EmptyKey'
  | 'KeyTooLarge'
  | 'InvalidRevision'
  | 'DuplicateKey'
  | 'InvalidArgument'
  | 'InvalidMessage'
  | 'NotConnected'
  | 'LeadershipLost'
  | 'StoreReset'
  | 'LimitExceeded'
  | 'EmptyRefused'
  | 'DeletesRefused'
  | 'RenderFailed'
  | 'ValidationFailed'
  | 'HookVetoed'
  | 'HookFailed'
  | 'SeedUnusable'
  | 'TargetNotWritable'
  | 'TargetFull'
  | 'TargetForeign'
  | 'TargetBusy'
  | 'TargetBroken'
  | 'TargetTooLarge'
  | 'TargetConflict'
  | 'KubeUnavailable'
  | 'KubeThrottled'
  | 'KubeDenied'
  | 'KubeNotFound'
  | 'KubeConflict'
  | 'KubeGone'
  | 'KubeInvalid'
  | 'KubeTooLarge'
  | 'ConfigInvalid'
  | 'Usage'
  | 'AddressInUse'
  | 'Internal'

export interface EtcdMirrorErrorOptions {
  readonly cause?: unknown
  /** What an operator should do about it, as one sentence. */
  readonly hint?: string
}

/**
 * Base of every error this project throws on purpose. The message reads "Cannot <action> <thing>: <state>" and never
 * holds a value or a password. Abort reasons are not wrapped: they are rethrown as they are.
 */
export class EtcdMirrorError extends Error {
  readonly code: ErrorCode
  /** Whether the same call can succeed later without anybody changing anything on our side. */
  readonly retryable: boolean
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, retryable: boolean, options: EtcdMirrorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.retryable = retryable
    this.hint = options.hint
  }
}
