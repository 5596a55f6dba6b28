import { decodeValue } from './decode-value.ts'
import { LINE_SYNTAXES, type LineSyntax, lineValue, OBJECT_SYNTAXES, refuseUnsayable } from './document-text.ts'
import type { KeyEntry } from './key-entry.ts'
import { KeyFault } from './key-fault.ts'
import { KeyFilter } from './key-filter.ts'
import { Nesting } from './nest.ts'
import type { DocumentOptions, ValueForm } from './options.ts'
import type { Output, RenderContext } from './output.ts'
import type { Plain } from './plain.ts'
import { renderFailure } from './render-failure.ts'

/** A file that holds many keys. The same keys make the same bytes, in whatever order they came. */
export class Document implements Output {
  readonly file: string
  readonly #options: DocumentOptions
  readonly #keys: KeyFilter
  readonly #rules: readonly { readonly keys: KeyFilter; readonly as: ValueForm }[]
  /** What values became that are more than text: most of them are as they were at the last change. */
  readonly #decoded = new WeakMap<KeyEntry, Plain>()

  constructor(options: DocumentOptions) {
    this.file = options.file
    this.#options = options
    this.#keys = new KeyFilter(options.keys)
    this.#rules = options.values.map(({ keys, as }) => ({ keys: new KeyFilter(keys), as }))
  }

  reads(key: string): boolean {
    return this.#keys.matches(key)
  }

  async render({ entries }: RenderContext): Promise<Buffer> {
    return this.bytesOf(entries)
  }

  /** Throws `GuardError` when these keys make no document. */
  bytesOf(entries: readonly KeyEntry[]): Buffer {
    const { syntax } = this.#options
    const mine = this.#keys.select(entries)
    const lines = LINE_SYNTAXES[syntax]
    return Buffer.from(lines === undefined ? this.#renderObject(mine) : this.#renderLines(mine, lines))
  }

  #renderObject(entries: readonly KeyEntry[]): string {
    const { structure, syntax } = this.#options
    const nesting = new Nesting()
    const flat: Record<string, Plain> = Object.create(null)
    for (const entry of entries) {
      const value = this.#valueOf(entry)
      if (structure === 'Flat') flat[entry.text] = value
      else nesting.add(entry.text, value)
    }
    try {
      return OBJECT_SYNTAXES[syntax]?.(structure === 'Flat' ? flat : nesting.toPlain()) ?? ''
    } catch (error) {
      if (error instanceof KeyFault) throw renderFailure(this.file, error.message, error)
      throw renderFailure(this.file, `${syntax} cannot hold it`, { hint: 'Look for keys with very many segments.' })
    }
  }

  #renderLines(entries: readonly KeyEntry[], { name: nameOf, line }: LineSyntax): string {
    const owners = new Map<string, KeyEntry>()
    return entries
      .map((entry) =>
        this.#about(entry, () => {
          const name = nameOf(entry.text)
          const owner = owners.get(name)
          if (owner !== undefined) throw new KeyFault(`makes the same name as ${owner.name}: ${name}`, RENAME)
          owners.set(name, entry)
          return line(name, lineValue(this.#valueOf(entry)))
        }),
      )
      .join('')
  }

  #valueOf(entry: KeyEntry): Plain {
    return this.#about(entry, () => {
      if (!entry.isText) throw new KeyFault('is no UTF-8 text itself', 'Leave the key out by "keys".')
      const form = this.#rules.find(({ keys }) => keys.matches(entry.text))?.as ?? 'Text'
      const known = form === 'Text' ? undefined : this.#decoded.get(entry)
      if (known !== undefined) return known
      const value = decodeValue(entry.value ?? Buffer.alloc(0), form)
      refuseUnsayable(value, this.#options.syntax)
      if (form !== 'Text') this.#decoded.set(entry, value)
      return value
    })
  }

  /** What is wrong with a key names it. */
  #about<Result>({ name }: KeyEntry, work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof KeyFault)) throw error
      throw renderFailure(this.file, `the key ${name} ${error.message}`, { key: name, hint: error.hint })
    }
  }
}

const RENAME = 'Rename one of the two keys, or leave it out by "keys".'
