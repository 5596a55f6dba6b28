import { GuardError } from '../../mirror/guard-error.ts'

export interface RenderFailureOptions {
  /** The key that it is about, printable; undefined = none in particular. */
  readonly key?: string | undefined
  /** What to do about it, as one sentence. */
  readonly hint: string
}

/** An output cannot be made of the keys as they are: the last good copy is held. `state` holds no value. */
export function renderFailure(file: string, state: string, { key, hint }: RenderFailureOptions): GuardError {
  return new GuardError('RenderFailed', `Cannot render ${file}: ${state}`, hint, key)
}
