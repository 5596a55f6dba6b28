import { type ErrorCode, EtcdMirrorError } from '../util/etcd-mirror-error.ts'

/** The exit codes of the process; scripts rely on them. */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  /** Wrong usage or configuration, and a port that another process has. */
  config: 2,
  unreachable: 3,
  /** Credentials or TLS refused. */
  refused: 4,
  target: 5,
  /** `diff` and `verify` found a difference. */
  different: 6,
  /** A guard holds the copy. */
  held: 7,
  /** With `--one-time`: the copy is published, and a hook that was to be told of it failed. */
  hook: 8,
} as const

const BY_ERROR: Readonly<Partial<Record<ErrorCode, number>>> = {
  ConfigInvalid: EXIT_CODES.config,
  Usage: EXIT_CODES.config,
  AddressInUse: EXIT_CODES.config,
  Unavailable: EXIT_CODES.unreachable,
  DeadlineExceeded: EXIT_CODES.unreachable,
  NoLeader: EXIT_CODES.unreachable,
  Learner: EXIT_CODES.unreachable,
  ServerBusy: EXIT_CODES.unreachable,
  AuthenticationFailed: EXIT_CODES.refused,
  PermissionDenied: EXIT_CODES.refused,
  TlsRefused: EXIT_CODES.refused,
  TargetNotWritable: EXIT_CODES.target,
  TargetFull: EXIT_CODES.target,
  TargetForeign: EXIT_CODES.target,
  TargetBusy: EXIT_CODES.target,
  TargetBroken: EXIT_CODES.target,
  TargetTooLarge: EXIT_CODES.target,
  TargetConflict: EXIT_CODES.target,
  LimitExceeded: EXIT_CODES.held,
  EmptyRefused: EXIT_CODES.held,
  DeletesRefused: EXIT_CODES.held,
  RenderFailed: EXIT_CODES.held,
  ValidationFailed: EXIT_CODES.held,
  HookVetoed: EXIT_CODES.held,
  HookFailed: EXIT_CODES.hook,
  // Whatever is wrong with the fallback, what is missing is etcd.
  SeedUnusable: EXIT_CODES.unreachable,
}

/** The exit code that tells what went wrong. */
export function exitCodeOf(error: unknown): number {
  return (error instanceof EtcdMirrorError ? BY_ERROR[error.code] : undefined) ?? EXIT_CODES.failed
}
