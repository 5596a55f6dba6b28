import { AuthError } from '../etcd/auth-error.ts'

/** A refusal with advice that fits: the rights on a prefix, which the general one names, do not help here. */
export function withCompactionHint(error: unknown): unknown {
  if (!(error instanceof AuthError) || error.code !== 'PermissionDenied') return error
  const hint =
    'Newer etcd lets a user with the role root alone compact; auto-compact needs READ and WRITE on etcd-mirror/compaction and READ on compact_rev_key too.'
  return new AuthError(error.code, error.message, { cause: error.cause, hint })
}
