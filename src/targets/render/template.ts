import { KeyFilter } from './key-filter.ts'
import type { TemplateOptions } from './options.ts'
import type { Output, RenderContext } from './output.ts'
import type { TemplateEngine } from './template-engine.ts'

/** A file that a template makes of many keys. */
export class Template implements Output {
  readonly file: string
  readonly #options: TemplateOptions
  readonly #engine: TemplateEngine
  readonly #keys: KeyFilter

  constructor(options: TemplateOptions, engine: TemplateEngine) {
    this.file = options.file
    this.#options = options
    this.#engine = engine
    this.#keys = new KeyFilter(options.keys)
  }

  reads(key: string): boolean {
    return this.#keys.matches(key)
  }

  render(context: RenderContext): Promise<Buffer> {
    return this.#engine.render(this.#options, { ...context, entries: this.#keys.select(context.entries) })
  }
}
