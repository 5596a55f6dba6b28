import {
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  type Registry,
  toJson,
} from '@bufbuild/protobuf'
import { expandVariables, type Variables } from './expand-variables.ts'
import { messageError } from './message-error.ts'
import type { Serializer } from './serializer.ts'

/** What a JSON serializer may be told. */
export interface JsonSerializerOptions {
  /** Put these in place of `$NAME` and `${NAME}` when reading. Default: none. */
  readonly variables?: Variables
  /** Skip fields that the schema does not have. Default false: they are an error, as in the seed. */
  readonly ignoreUnknownFields?: boolean
  /** Types of `google.protobuf.Any` and of extensions. Default: none. */
  readonly registry?: Registry
}

/**
 * Messages as JSON: fields by the names of the schema, zero values left out, keys in alphabetical order and nothing
 * between, so that one message has one text.
 */
export class JsonSerializer implements Serializer {
  readonly #options: JsonSerializerOptions

  constructor(options: JsonSerializerOptions = {}) {
    this.#options = options
  }

  marshal<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Uint8Array {
    const json = toJson(schema, message, { useProtoFieldName: true, ...this.#registry })
    // It would also write a number that is too large for its field, and nobody could read the value.
    fromJson(schema, json, this.#registry)
    return Buffer.from(JSON.stringify(sorted(json)))
  }

  unmarshal<Desc extends DescMessage>(schema: Desc, value: Uint8Array): MessageShape<Desc> {
    const { variables, ignoreUnknownFields = false } = this.#options
    const text = decode(value)
    const json = text === undefined ? undefined : parse(variables ? expandVariables(text, variables) : text)
    if (json === undefined) throw messageError('read', schema, { state: 'not JSON' })
    return fromJson(schema, json, { ignoreUnknownFields, ...this.#registry })
  }

  get #registry(): { readonly registry?: Registry } {
    const { registry } = this.#options
    return registry === undefined ? {} : { registry }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(value: Uint8Array): string | undefined {
  try {
    return utf8.decode(value)
  } catch {
    return undefined
  }
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
}

function sorted(json: JsonValue): JsonValue {
  if (Array.isArray(json)) return json.map(sorted)
  if (typeof json !== 'object' || json === null) return json
  const entries = Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, value]) => [name, sorted(value)]))
}
