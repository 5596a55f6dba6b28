import { dereference, type Schema } from '@cfworker/json-schema'

/** What the library notes at a schema that refers to another one. */
interface Referring {
  readonly $ref?: string
  readonly __absolute_ref__?: string
  readonly pattern?: unknown
  readonly patternProperties?: unknown
}

type ByAddress = Readonly<Record<string, Referring | boolean>>

/** Why no file could be judged by what is to be a JSON Schema, in words that follow its name; undefined = files can be. */
export function schemaFault(schema: unknown): string | undefined {
  if (typeof schema === 'boolean') return undefined
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return 'is no JSON Schema'
  try {
    // It writes into what it is given, which is everybody's.
    const byAddress: ByAddress = dereference(structuredClone(schema as Schema))
    return Object.values(byAddress)
      .map((each) => (typeof each === 'boolean' ? undefined : faultOf(each, byAddress)))
      .find((fault) => fault !== undefined)
  } catch (error) {
    return `is no JSON Schema: ${error instanceof Error ? error.message : 'it cannot be read'}`
  }
}

function faultOf({ $ref, __absolute_ref__, ...each }: Referring, byAddress: ByAddress): string | undefined {
  if (__absolute_ref__ !== undefined && byAddress[__absolute_ref__] === undefined) {
    return `refers to ${$ref}, which is not in it`
  }
  const bad = patternsOf(each.pattern, each.patternProperties).find((text) => !isPattern(text))
  return bad === undefined ? undefined : `has the pattern ${JSON.stringify(bad)}, which is no regular expression`
}

function patternsOf(pattern: unknown, properties: unknown): readonly string[] {
  const names = typeof properties === 'object' && properties !== null ? Object.keys(properties) : []
  return typeof pattern === 'string' ? [pattern, ...names] : names
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u')
    return true
  } catch {
    return false
  }
}
