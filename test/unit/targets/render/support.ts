import type { DocumentOptions, RenderOptions } from '../../../../src/targets/render/options.ts'
import { renderListSchema } from '../../../../src/targets/render/options.ts'
import { renderingOf } from '../../../../src/targets/render/rendering.ts'
import {
  fileSink,
  PREFIX,
  publishedFiles,
  restore,
  type State,
  type TestSinkOptions,
  tempDirectory,
} from '../files/support.ts'

/** `render` as it is written. */
export type WrittenRender = readonly Readonly<Record<string, unknown>>[]

export function parseRender(render: WrittenRender): RenderOptions[] {
  return renderListSchema.parse(render)
}

export function renderingSink(root: string, render: WrittenRender, given: TestSinkOptions = {}) {
  return fileSink(root, { projection: renderingOf(parseRender(render), Buffer.from(PREFIX)), ...given })
}

/** The one file that a document makes of a state. */
export async function documentOf(
  options: Omit<Partial<DocumentOptions>, 'file'> & { readonly syntax: DocumentOptions['syntax'] },
  state: State,
): Promise<string> {
  const root = tempDirectory()
  await restore(renderingSink(root, [{ document: { file: 'out', ...options } }]), state, 5)
  return publishedFiles(root).out ?? ''
}
