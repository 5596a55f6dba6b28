import { loadAll } from 'js-yaml'
import type { Template } from 'liquidjs'
import { decodeValue } from './decode-value.ts'
import { KeyFault } from './key-fault.ts'
import { newLiquid, registerFilters } from './liquid.ts'
import type { RenderJob } from './render-job.ts'
import { TemplateKeys } from './template-keys.ts'

/** What all objects of one rendering may have; each for itself fits into an answer of the API server. */
const MAX_BYTES = 4 * 1024 * 1024
const MAX_PARSED = 8

/** Renders templates that give manifests in YAML. */
export class ManifestRenderer {
  readonly #liquid = newLiquid()
  /** Templates that were rendered lately. */
  readonly #parsed = new Map<string, Template[]>()

  constructor() {
    registerFilters(this.#liquid, new TemplateKeys(), () => ({}))
  }

  /** The manifests as one list in JSON. Throws `KeyFault`, and what Liquid throws. */
  render({ template, context, value, form }: Extract<RenderJob, { kind: 'manifests' }>): Buffer {
    const text = this.#liquid.renderSync(this.#parse(template), {
      ...context,
      value: decodeValue(bytesOf(value), form),
    })
    const json = JSON.stringify(documentsOf(String(text)))
    if (json.length > MAX_BYTES) throw new KeyFault(`gives more than ${MAX_BYTES} bytes`, 'Make the objects smaller.')
    return Buffer.from(json)
  }

  #parse(template: string): Template[] {
    const parsed = this.#parsed.get(template) ?? this.#liquid.parse(template)
    this.#parsed.delete(template)
    this.#parsed.set(template, parsed)
    const [oldest] = this.#parsed.keys()
    if (this.#parsed.size > MAX_PARSED && oldest !== undefined) this.#parsed.delete(oldest)
    return parsed
  }
}

function documentsOf(text: string): readonly unknown[] {
  try {
    return text.trim() === '' ? [] : loadAll(text)
  } catch {
    // The message quotes the text, which holds values.
    throw new KeyFault('gives no YAML', 'Correct the template or the key.')
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
