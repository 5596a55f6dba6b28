import { Document } from '../render/document.ts'
import type { DocumentOptions, RenderOptions } from '../render/options.ts'
import type { Output, RenderContext } from '../render/output.ts'
import { type TreeData, treeData } from './tree-data.ts'

/** How the state of a prefix becomes what one ConfigMap or Secret holds. */
export class DataRendering {
  readonly #hasTree: boolean
  readonly #outputs: readonly Output[]

  /** `documentOf`: what makes a document; by default that is done here. */
  constructor(
    render: readonly RenderOptions[],
    documentOf: (options: DocumentOptions) => Output = (options) => new Document(options),
  ) {
    this.#hasTree = render.some(({ tree }) => tree !== undefined)
    this.#outputs = render.flatMap(({ document }) => (document === undefined ? [] : [documentOf(document)]))
  }

  /** Whether a key's value is needed. */
  reads(key: string): boolean {
    return this.#hasTree || this.#outputs.some((output) => output.reads(key))
  }

  /** Throws `GuardError` when a document cannot be made of these keys; else rejects with the abort reason. */
  async render(context: RenderContext): Promise<TreeData> {
    const documents: [string, Buffer][] = []
    for (const output of this.#outputs) documents.push([output.file, await output.render(context)])
    const tree = this.#hasTree
      ? treeData(relativeEntries(context), new Set(documents.map(([file]) => file)))
      : undefined
    return { data: new Map([...(tree?.data ?? []), ...documents]), refused: tree?.refused ?? [] }
  }
}

function* relativeEntries({ entries }: RenderContext) {
  for (const { id, value } of entries) yield { key: Buffer.from(id, 'latin1'), value: value ?? Buffer.alloc(0) }
}
