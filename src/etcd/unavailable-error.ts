import { type ErrorCode, EtcdMirrorError, type EtcdMirrorErrorOptions } from '../util/etcd-mirror-error.ts'

export type UnavailableCode = Extract<
  ErrorCode,
  'Unavailable' | 'DeadlineExceeded' | 'NoLeader' | 'Learner' | 'ServerBusy' | 'Corrupt'
>

/** This endpoint cannot serve now: another one, or the same one later, may. Retryable with backoff. */
export class UnavailableError extends EtcdMirrorError {
  constructor(code: UnavailableCode, message: string, options: EtcdMirrorErrorOptions = {}) {
    super(code, message, true, options)
  }
}
