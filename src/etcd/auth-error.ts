import { type ErrorCode, EtcdMirrorError, type EtcdMirrorErrorOptions } from '../util/etcd-mirror-error.ts'

export type AuthErrorCode = Extract<ErrorCode, 'AuthenticationFailed' | 'PermissionDenied' | 'TlsRefused'>

/**
 * etcd refuses us, or we refuse it. Retryable, slowly: credentials and certificates are rotated and permissions granted
 * while we run.
 */
export class AuthError extends EtcdMirrorError {
  constructor(code: AuthErrorCode, message: string, options: EtcdMirrorErrorOptions = {}) {
    super(code, message, true, options)
  }
}
