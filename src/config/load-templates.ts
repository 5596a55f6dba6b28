import { isUtf8 } from 'node:buffer'
import { dirname, resolve } from 'node:path'
import type { Findings } from '../config-files/findings.ts'
import type { YamlFile } from '../config-files/yaml-file.ts'
import { formatPath } from '../config-files/zod-problems.ts'
import type { RenderOptions } from '../targets/render/options.ts'
import type { ValidateOptions } from '../targets/validate/options.ts'
import type { ParsedMirror } from './mirror-file-schema.ts'

/** Where a mirror was written. */
interface Place {
  readonly source: YamlFile
  readonly index: number
}

/**
 * The mirror with the texts of its templates and schemas, which stand beside the file that names them. What cannot be read
 * or is not what it should be becomes a problem. Rejects only with the signal's reason.
 */
export async function withTemplates(
  mirror: ParsedMirror,
  place: Place,
  findings: Findings,
  signal?: AbortSignal,
): Promise<ParsedMirror> {
  const { target } = mirror
  if (!('files' in target)) return mirror
  const render: RenderOptions[] = []
  for (const [item, entry] of target.files.render.entries()) {
    const { template } = entry
    if (template === undefined) render.push(entry)
    else {
      const text = await readBeside(template.source, ['render', item, 'template', 'source'], place, findings, signal)
      if (text) await checkTemplate(text, findings)
      render.push({ template: { ...template, text: text?.text ?? '' } })
    }
  }
  const validate: ValidateOptions[] = []
  for (const [item, rule] of target.files.validate.entries()) {
    const { schema } = rule
    const text = schema && (await readBeside(schema, ['validate', item, 'schema'], place, findings, signal))
    validate.push(text ? { ...rule, schemaContent: await schemaOf(text, findings) } : rule)
  }
  return { ...mirror, target: { files: { ...target.files, render, validate } } }
}

interface NamedText {
  readonly path: string
  readonly text: string
}

/** `at`: the field that names the file, below `target.files`. undefined = `findings` says why not. */
async function readBeside(
  name: string,
  at: readonly (string | number)[],
  { source, index }: Place,
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<NamedText | undefined> {
  const path = resolve(dirname(source.file), name)
  const found = await findings.sources.readConfig(path, signal)
  const fault = found.fault ?? (isUtf8(found.bytes) ? undefined : 'is not UTF-8 text')
  if (found.fault === undefined && fault === undefined) {
    const text = found.bytes.toString('utf8')
    findings.sources.keepText(path, text)
    return { path, text }
  }
  const field = ['mirrors', index, 'target', 'files', ...at]
  const message = `${path} ${fault}`
  return void findings.problem({ file: source.file, ...source.placeOf(field), path: formatPath(field), message })
}

// What reads templates and schemas is loaded for those who have some.

async function checkTemplate({ path, text }: NamedText, findings: Findings): Promise<void> {
  const { templateTextFault } = await import('../targets/render/template-text.ts')
  const fault = templateTextFault(text)
  if (fault) findings.problem({ file: path, path: '', ...fault })
}

/** A boolean is a schema as well. */
async function schemaOf({ path, text }: NamedText, findings: Findings): Promise<unknown> {
  const { parseText, SyntaxFault } = await import('../targets/validate/parse-text.ts')
  try {
    const schema = parseText(text, 'Yaml')
    const { schemaFault } = await import('../targets/validate/schema-fault.ts')
    const fault = schemaFault(schema)
    return fault === undefined ? schema : void findings.problem({ file: path, path: '', message: fault })
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    const place = error.line === undefined ? {} : { line: error.line }
    return void findings.problem({ file: path, path: '', ...place, message: 'is neither JSON nor YAML' })
  }
}
