import { stringify as stringifyProperties } from 'dot-properties'
import { dump } from 'js-yaml'
import { stringify as stringifyToml } from 'smol-toml'
import { envLine, envName } from './env-text.ts'
import { KeyFault } from './key-fault.ts'
import type { DocumentSyntax } from './options.ts'
import { isPlainObject, type Plain, type PlainObject } from './plain.ts'

/** The text of a document that is made of objects; it ends in a line feed. */
export const OBJECT_SYNTAXES: Readonly<Partial<Record<DocumentSyntax, (object: PlainObject) => string>>> = {
  Json: (object) => `${JSON.stringify(object, null, 2)}\n`,
  Yaml: (object) => dump(object, { lineWidth: -1, noRefs: true }),
  Toml: (object) => ending(stringifyToml(object)),
}

/** Java reads these files as Latin-1 in one place and as UTF-8 in another: ASCII is both. The rest is escaped already. */
const NOT_ASCII = [
  /[\u0080-\u00ff]/g,
  (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
] as const

export interface LineSyntax {
  /** Of a key. Throws `KeyFault`. */
  readonly name: (key: string) => string
  /** Throws `KeyFault`. */
  readonly line: (name: string, value: string) => string
}

/** Documents of lines `name=value`. */
export const LINE_SYNTAXES: Readonly<Partial<Record<DocumentSyntax, LineSyntax>>> = {
  Env: { name: envName, line: envLine },
  Properties: {
    name: (key) => key.replaceAll('/', '.'),
    line: (name, value) =>
      ending(stringifyProperties([[name, value]], { keySep: '=', lineWidth: null }).replace(...NOT_ASCII)),
  },
}

/** A value in a line: text as it is, everything else as JSON has it. */
export function lineValue(value: Plain): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Throws `KeyFault` for what the syntax has no word for. */
export function refuseUnsayable(value: Plain, syntax: DocumentSyntax): void {
  if (syntax !== 'Toml') return
  if (value === null) throw new KeyFault('holds null, which TOML has no word for', 'Take it as Text, or leave it out.')
  if (Array.isArray(value)) for (const item of value) refuseUnsayable(item, syntax)
  else if (isPlainObject(value)) for (const item of Object.values(value)) refuseUnsayable(item, syntax)
}

function ending(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}
