import { isUtf8 } from 'node:buffer'
import { compileGlob } from '../../util/glob.ts'
import { KeyFault } from './key-fault.ts'

export interface TemplatePair {
  /** Below what was asked for. */
  readonly key: string
  readonly value: string
}

/** A key that a template asks for cannot be given. */
export class TemplateKeyFault extends KeyFault {
  readonly key: string

  constructor(key: string, state: string, hint: string) {
    super(state, hint)
    this.key = key
  }
}

/** The keys that templates see, as they ask for them: below the prefix, sorted. */
export class TemplateKeys {
  readonly #values = new Map<string, Buffer>()
  #sorted: readonly string[] | undefined

  set(key: string, value: Uint8Array | undefined): void {
    if ((value === undefined) === this.#values.has(key)) this.#sorted = undefined
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, Buffer.from(value.buffer, value.byteOffset, value.byteLength))
  }

  /** These and no others. */
  replace(keys: Iterable<readonly [string, Uint8Array]>): void {
    this.#values.clear()
    this.#sorted = undefined
    for (const [key, value] of keys) this.set(key, value)
  }

  has(key: string): boolean {
    return this.#values.has(key)
  }

  /** Throws `TemplateKeyFault`. */
  bytes(key: string): Buffer {
    const value = this.#values.get(key)
    if (value !== undefined) return value
    const hint = key.startsWith('/')
      ? 'Keys are named below the prefix, without a "/" in front.'
      : 'Put the key, or give a value for its absence with getOr.'
    throw new TemplateKeyFault(key, `there is no key ${key}`, hint)
  }

  /** Throws `TemplateKeyFault`. */
  text(key: string): string {
    const value = this.bytes(key)
    if (isUtf8(value)) return value.toString('utf8')
    throw new TemplateKeyFault(key, `the key ${key} is not UTF-8 text`, 'Take it with getBase64.')
  }

  /** Names directly below a directory, each once: of keys and directories, or of directories alone. '' = the prefix. */
  names(directory: string, kind: 'all' | 'directories'): string[] {
    const names = new Set<string>()
    for (const key of this.#below(directory)) {
      const end = key.indexOf('/')
      if (end !== -1) names.add(key.slice(0, end))
      else if (kind === 'all') names.add(key)
    }
    return [...names].sort()
  }

  /** Every key below a directory, at any depth. */
  tree(directory: string): TemplatePair[] {
    const start = startOf(directory)
    return this.#below(directory).map((key) => ({ key, value: this.text(start + key) }))
  }

  /** Every key that matches a glob, by its whole name below the prefix. */
  matching(glob: string): TemplatePair[] {
    const matches = compileGlob(glob)
    return this.#all()
      .filter(matches)
      .map((key) => ({ key, value: this.text(key) }))
  }

  #below(directory: string): string[] {
    const start = startOf(directory)
    return this.#all()
      .filter((key) => key.startsWith(start))
      .map((key) => key.slice(start.length))
  }

  #all(): readonly string[] {
    this.#sorted ??= [...this.#values.keys()].sort()
    return this.#sorted
  }
}

function startOf(directory: string): string {
  return directory === '' || directory.endsWith('/') ? directory : `${directory}/`
}
