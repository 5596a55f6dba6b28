import type { StagedCheck } from '../hooks/staged-check.ts'
import type { ValidateOptions } from './options.ts'

/** The rules that a command judges, in their order. Each is named after its place in `validate`. */
export function commandChecks(rules: readonly ValidateOptions[]): readonly StagedCheck[] {
  return rules.flatMap(({ files, command, timeoutMs }, index): StagedCheck[] => {
    if (command === undefined) return []
    const name = `validate[${index}]`
    return [{ name, exec: { command }, files, timeoutMs, needsFile: true, refusal: 'ValidationFailed' }]
  })
}
