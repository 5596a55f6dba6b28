import { escapeControl } from '../observe/escape-control.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

/** One thing that is wrong with the configuration, or worth a warning. */
export interface ConfigProblem {
  /** Path of the file, or the flag or variable that said it. */
  readonly file: string
  /** Both from 1; undefined when no place in the file is meant. */
  readonly line?: number | undefined
  readonly column?: number | undefined
  /** `mirrors[0].target.files`; '' when no key is meant. */
  readonly path: string
  /** Never holds a password. */
  readonly message: string
}

/** `mirror.yaml:4:7: mirrors[0].target.filez: unknown key, did you mean "files"?` */
export function formatProblem({ file, line, column, path, message }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  return escapeControl(path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`)
}

/** The configuration cannot be used: every problem found, one line each. Not retryable: somebody has to edit it. */
export class ConfigError extends EtcdMirrorError {
  readonly problems: readonly ConfigProblem[]
  /** What was worth a warning beside them: the misspelt key that explains a problem may be among these. */
  readonly warnings: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], warnings: readonly ConfigProblem[] = []) {
    super('ConfigInvalid', problems.map(formatProblem).join('\n'), false)
    this.problems = problems
    this.warnings = warnings
  }
}
