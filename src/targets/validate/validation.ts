import { isUtf8 } from 'node:buffer'
import { type Schema, Validator } from '@cfworker/json-schema'
import { GuardError } from '../../mirror/guard-error.ts'
import { compileGlob } from '../../util/glob.ts'
import type { ValidatedSyntax, ValidateOptions } from './options.ts'
import { parseText, SyntaxFault } from './parse-text.ts'

interface Rule {
  readonly syntax: ValidatedSyntax
  /** How messages name the schema. */
  readonly schema: string
  readonly matches: readonly ((path: string) => boolean)[]
  readonly validator: Validator | undefined
}

/** Judges files before they are published, one by one; what is a command's to judge is not looked at. */
export class Validation {
  readonly #rules: readonly Rule[]

  constructor(rules: readonly ValidateOptions[]) {
    this.#rules = rules.flatMap(({ files, syntax, schema, schemaContent }) => {
      if (syntax === undefined) return []
      // The validator writes into what it is given, which is everybody's.
      const validator =
        schemaContent === undefined ? undefined : new Validator(structuredClone(schemaContent) as Schema)
      return [{ syntax, schema, matches: files.map(compileGlob), validator }]
    })
  }

  /** Throws `GuardError` when a file is not what a rule says. */
  check(path: string, bytes: Buffer): void {
    for (const { syntax, schema, matches, validator } of this.#rules) {
      if (!matches.some((glob) => glob(path))) continue
      if (!isUtf8(bytes)) throw refused(path, 'is not UTF-8 text')
      const content = this.#parse(path, bytes.toString('utf8'), syntax)
      const { errors = [] } = validator?.validate(content) ?? {}
      // The deepest place says most. Texts of errors may hold values: the place and the rule's name do not.
      const [worst] = errors.toSorted((left, right) => depthOf(right) - depthOf(left))
      if (worst !== undefined) {
        const place = worst.instanceLocation.replace(/^#/, '') || '/'
        throw refused(path, `does not fit ${schema}: ${place} (${worst.keyword})`)
      }
    }
  }

  #parse(path: string, text: string, syntax: ValidatedSyntax): unknown {
    try {
      return parseText(text, syntax)
    } catch (error) {
      if (error instanceof SyntaxFault) throw refused(path, error.message)
      throw error
    }
  }
}

function depthOf({ instanceLocation }: { readonly instanceLocation: string }): number {
  return instanceLocation.split('/').length
}

function refused(path: string, state: string): GuardError {
  const hint = 'Correct the key, or what validate says of the file. It is looked at again with the next change.'
  return new GuardError('ValidationFailed', `Cannot publish ${path}: it ${state}`, hint, path)
}
