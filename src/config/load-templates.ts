import { isUtf8 } from 'node:buffer'
import { dirname, resolve } from 'node:path'
import type { Findings } from '../config-files/findings.ts'
import type { YamlFile } from '../config-files/yaml-file.ts'
import { formatPath } from '../config-files/zod-problems.ts'
import type { RenderOptions, TemplateOptions } from '../targets/render/options.ts'
import { templateTextFault } from '../targets/render/template-text.ts'
import type { ParsedMirror } from './mirror-file-schema.ts'

/**
 * The mirror with the texts of its templates, which stand beside the file that names them. What cannot be read or is no
 * template becomes a problem. Rejects only with the signal's reason.
 */
export async function withTemplates(
  mirror: ParsedMirror,
  place: { readonly source: YamlFile; readonly index: number },
  findings: Findings,
  signal?: AbortSignal,
): Promise<ParsedMirror> {
  const { target } = mirror
  if (!('files' in target)) return mirror
  const render: RenderOptions[] = []
  for (const [item, entry] of target.files.render.entries()) {
    const { template } = entry
    const at = ['mirrors', place.index, 'target', 'files', 'render', item, 'template', 'source']
    const refuse = (message: string) =>
      findings.problem({ file: place.source.file, ...place.source.placeOf(at), path: formatPath(at), message })
    render.push(
      template === undefined ? entry : { template: await withText(template, place.source, findings, refuse, signal) },
    )
  }
  return { ...mirror, target: { files: { ...target.files, render } } }
}

async function withText(
  template: TemplateOptions,
  { file }: YamlFile,
  findings: Findings,
  refuse: (message: string) => void,
  signal?: AbortSignal,
): Promise<TemplateOptions> {
  const source = resolve(dirname(file), template.source)
  const found = await findings.sources.readConfig(source, signal)
  if (found.fault !== undefined) refuse(`${source} ${found.fault}`)
  else if (!isUtf8(found.bytes)) refuse(`${source} is not UTF-8 text`)
  else {
    const text = found.bytes.toString('utf8')
    const fault = templateTextFault(text)
    if (fault !== undefined) findings.problem({ file: source, path: '', ...fault })
    findings.sources.keepText(source, text)
    return { ...template, text }
  }
  return template
}
