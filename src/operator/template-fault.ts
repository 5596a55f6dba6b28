import { MAX_TEMPLATE_LENGTH } from '../targets/objects/options.ts'
import { templateTextFault } from '../targets/render/template-text.ts'

/** Why no object can be made by a template, whatever the keys are; undefined = nothing is wrong with it. */
export function templateFault(text: string): string | undefined {
  if (text === '') return 'must not be empty'
  if (text.length > MAX_TEMPLATE_LENGTH) return `must not be longer than ${MAX_TEMPLATE_LENGTH} characters`
  const { line, message } = templateTextFault(text) ?? {}
  return line === undefined ? message : `line ${line}: ${message}`
}
