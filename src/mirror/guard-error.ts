import { type ErrorCode, EtcdMirrorError } from '../util/etcd-mirror-error.ts'

export type GuardCode = Extract<
  ErrorCode,
  'LimitExceeded' | 'EmptyRefused' | 'DeletesRefused' | 'RenderFailed' | 'ValidationFailed' | 'HookVetoed'
>

/** A guard holds the last good copy back from a change. It goes on when etcd, or the configuration, says so. */
export class GuardError extends EtcdMirrorError {
  /** The key it is about, printable; undefined = none in particular. Kept out of the message: status pages show that. */
  readonly key: string | undefined

  constructor(code: GuardCode, message: string, hint: string, key?: string) {
    super(code, message, true, { hint })
    this.key = key
  }
}
