import type { ConfigProblem } from './config-error.ts'
import type { ConfigSources } from './config-sources.ts'

/** What loading has found so far: all of it is told at once. */
export class Findings {
  readonly problems: ConfigProblem[] = []
  readonly warnings: ConfigProblem[] = []
  /** Where it was found. */
  readonly sources: ConfigSources

  constructor(sources: ConfigSources) {
    this.sources = sources
  }

  problem(problem: ConfigProblem): void {
    this.problems.push(problem)
  }

  warning(warning: ConfigProblem): void {
    this.warnings.push(warning)
  }
}
