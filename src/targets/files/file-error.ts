import { SinkError, type SinkErrorCode } from '../../mirror/sink-error.ts'

interface Fault {
  readonly code: SinkErrorCode
  readonly state: string
  readonly hint: string
}

const FULL: Fault = {
  code: 'TargetFull',
  state: 'no space or no inodes left',
  hint: 'Enlarge the volume; trees share unchanged files, but every tree needs its directories.',
}
const NOT_WRITABLE: Fault = {
  code: 'TargetNotWritable',
  state: 'not permitted',
  hint: 'Give the process write access to the root: its user, fsGroup, or a volume that is not read-only.',
}
const CHANGED: Fault = {
  code: 'TargetBroken',
  state: 'the files are not what they were left as',
  hint: 'Let nobody else write below the root; the copy is made anew.',
}
const TOO_MANY_OPEN: Fault = {
  code: 'TargetNotWritable',
  state: 'too many open files',
  hint: 'Raise the limit of open files (ulimit -n), or look for what keeps so many open on this machine.',
}
const FAILED: Fault = {
  code: 'TargetBroken',
  state: 'a file call failed',
  hint: 'Look at the volume and at the limits of the process.',
}

const FAULTS: Readonly<Record<string, Fault>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EACCES: NOT_WRITABLE,
  EPERM: NOT_WRITABLE,
  EROFS: NOT_WRITABLE,
  EMFILE: TOO_MANY_OPEN,
  ENFILE: TOO_MANY_OPEN,
  ENOENT: CHANGED,
  ENOTDIR: CHANGED,
  EEXIST: CHANGED,
  ENOTEMPTY: CHANGED,
  EISDIR: CHANGED,
  ELOOP: CHANGED,
  EINVAL: CHANGED,
}

/**
 * A failed file call as a SinkError, "Cannot <action> <root>: <state>"; anything that is no failed file call (an abort
 * reason, a SinkError) comes back as it is.
 */
export function toSinkError(error: unknown, root: string, action: string): unknown {
  if (!isFileError(error)) return error
  const { code, state, hint } = FAULTS[error.code] ?? FAILED
  // Neither path goes into the message: they hold keys.
  return new SinkError(code, root, `Cannot ${action} ${root}: ${state} (${error.code} from ${error.syscall})`, {
    cause: error,
    hint,
  })
}

/** Whether `error` is a failed file call, with one of `codes` if any are given. */
export function isFileError(error: unknown, ...codes: readonly string[]): error is Error & FileErrorFields {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string')) return false
  return codes.length === 0 || codes.includes(error.code)
}

interface FileErrorFields {
  readonly code: string
  readonly syscall: string
}
