import { type ErrorCode, EtcdMirrorError, type EtcdMirrorErrorOptions } from '../util/etcd-mirror-error.ts'

export type SinkErrorCode = Extract<
  ErrorCode,
  | 'TargetNotWritable'
  | 'TargetFull'
  | 'TargetForeign'
  | 'TargetBusy'
  | 'TargetBroken'
  | 'TargetTooLarge'
  | 'TargetConflict'
>

/** A target could not be written. What was visible before still is. */
export class SinkError extends EtcdMirrorError {
  /** Which target: for files its root, for objects kind and name. */
  readonly target: string

  constructor(code: SinkErrorCode, target: string, message: string, options: EtcdMirrorErrorOptions = {}) {
    // A foreign root does not become ours by waiting, but its owner may clear it: every one of these is worth retrying.
    super(code, message, true, options)
    this.target = target
  }
}
