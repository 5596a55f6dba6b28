import { newLiquid, registerFilters, templateFault } from './liquid.ts'
import { TemplateKeys } from './template-keys.ts'

/** What is wrong with the text of a template itself, whatever the keys are; undefined = nothing. */
export function templateTextFault(text: string): { readonly line?: number; readonly message: string } | undefined {
  const liquid = newLiquid()
  registerFilters(liquid, new TemplateKeys(), () => ({}))
  try {
    liquid.parse(text)
    return undefined
  } catch (error) {
    const [, line, message = ''] = /^(?:line (\d+): )?(.*)$/s.exec(templateFault(error).state) ?? []
    return line === undefined ? { message } : { line: Number(line), message }
  }
}
