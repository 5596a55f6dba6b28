import { compileGlob } from '../../util/glob.ts'
import type { TemplateOptions } from './options.ts'
import type { Output, RenderContext } from './output.ts'
import type { TemplateEngine } from './template-engine.ts'

/** A file that a template makes of many keys. */
export class Template implements Output {
  readonly file: string
  readonly #options: TemplateOptions
  readonly #engine: TemplateEngine
  readonly #keys: readonly ((key: string) => boolean)[]

  constructor(options: TemplateOptions, engine: TemplateEngine) {
    this.file = options.file
    this.#options = options
    this.#engine = engine
    this.#keys = options.keys.map(compileGlob)
  }

  reads(key: string): boolean {
    return this.#keys.some((matches) => matches(key))
  }

  render(context: RenderContext): Promise<Buffer> {
    const entries = context.entries.filter(({ text }) => this.reads(text))
    return this.#engine.render(this.#options, { ...context, entries })
  }
}
