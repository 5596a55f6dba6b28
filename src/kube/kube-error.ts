import { type ErrorCode, EtcdMirrorError, type EtcdMirrorErrorOptions } from '../util/etcd-mirror-error.ts'

export type KubeErrorCode = Extract<ErrorCode, `Kube${string}`>

/** Why the API refused: of a conflict the fields and who holds them, of what is invalid the fields. */
export interface KubeErrorCause {
  readonly reason: string
  /** Path of a field, as in `.data.a`. */
  readonly field: string
  /** Of a conflict: the field manager that holds the field. */
  readonly manager: string | undefined
}

export interface KubeErrorOptions extends EtcdMirrorErrorOptions {
  /** HTTP status; default 0 = there was no answer. */
  readonly status?: number
  /** The API's own, such as `AlreadyExists`; default ''. */
  readonly reason?: string
  /** Do not ask again before; default: whenever. */
  readonly retryAfterMs?: number | undefined
  readonly causes?: readonly KubeErrorCause[]
}

/** The Kubernetes API did not do what it was asked for, or nothing is known of it. Holds no values of objects. */
export class KubeError extends EtcdMirrorError {
  declare readonly code: KubeErrorCode
  readonly status: number
  readonly reason: string
  readonly retryAfterMs: number | undefined
  readonly causes: readonly KubeErrorCause[]

  constructor(code: KubeErrorCode, message: string, options: KubeErrorOptions = {}) {
    super(code, message, RETRYABLE.has(code), options)
    this.status = options.status ?? 0
    this.reason = options.reason ?? ''
    this.retryAfterMs = options.retryAfterMs
    this.causes = options.causes ?? []
  }

  /** The fields of a server-side apply that others hold; empty = it was no such conflict. */
  get heldFields(): readonly KubeErrorCause[] {
    return this.causes.filter(({ reason }) => reason === 'FieldManagerConflict')
  }
}

const RETRYABLE: ReadonlySet<KubeErrorCode> = new Set(['KubeUnavailable', 'KubeThrottled', 'KubeGone', 'KubeConflict'])
