import { loadAll, YAMLException } from 'js-yaml'
import type { Template } from 'liquidjs'
import { decodeValue } from './decode-value.ts'
import { KeyFault } from './key-fault.ts'
import { newLiquid, registerFilters } from './liquid.ts'
import type { ValueForm } from './options.ts'
import type { ManifestKey, RenderJob } from './render-job.ts'
import { TemplateKeyFault, TemplateKeys } from './template-keys.ts'

/** What all objects of one rendering may have; each for itself fits into an answer of the API server. */
const MAX_BYTES = 4 * 1024 * 1024
const MAX_PARSED = 8

/** Renders templates that give manifests in YAML. */
export class ManifestRenderer {
  readonly #liquid = newLiquid()
  /** What filters see: the keys of the group that is rendered. */
  readonly #keys = new TemplateKeys()
  /** Templates that were rendered lately. */
  readonly #parsed = new Map<string, Template[]>()

  constructor() {
    registerFilters(this.#liquid, this.#keys, () => ({}))
  }

  /** The manifests as one list in JSON. Throws `KeyFault`, and what Liquid throws. */
  render({ template, context, keys, isGroup, form }: Extract<RenderJob, { kind: 'manifests' }>): Buffer {
    this.#keys.replace(isGroup ? keys.map(({ facts, value }) => [facts.key, value]) : [])
    const seen = isGroup ? { keys: keys.map((key) => seenOfGroup(key, form)) } : seenOf(keys[0], form)
    const text = this.#liquid.renderSync(this.#parse(template), { ...context, ...seen })
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

function seenOf(key: ManifestKey | undefined, form: ValueForm): object {
  return key === undefined ? {} : { ...key.facts, value: decodeValue(bytesOf(key.value), form) }
}

function seenOfGroup(key: ManifestKey, form: ValueForm): object {
  try {
    return seenOf(key, form)
  } catch (error) {
    throw error instanceof KeyFault ? new TemplateKeyFault(key.facts.key, error.message, error.hint) : error
  }
}

function documentsOf(text: string): readonly unknown[] {
  try {
    return text.trim() === '' ? [] : loadAll(text)
  } catch (error) {
    // The message quotes the text, which holds values.
    const place = error instanceof YAMLException && error.mark ? `: line ${error.mark.line + 1} of what it gives` : ''
    throw new KeyFault(`gives no YAML${place}`, 'Correct the template or the key.')
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
