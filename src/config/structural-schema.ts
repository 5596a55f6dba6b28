import type { JsonSchema } from '../config-files/json-schema.ts'

type Mutable = Record<string, unknown>

/**
 * What a structural schema of a CustomResourceDefinition may say of a JSON schema: an API server prunes unknown fields
 * itself and refuses `additionalProperties: false`; defaults stay in code and are told in the description; int-or-string
 * has its own keyword. Throws for a schema that cannot be structural.
 */
export function structuralSchema(schema: JsonSchema): JsonSchema {
  const { type, properties, items, additionalProperties, default: fallback, anyOf, ...rest } = schema
  const result: Mutable = {}
  const description = describe(rest.description, fallback)
  if (description !== undefined) result.description = description
  if (type !== undefined) result.type = type
  for (const keyword of KEPT) if (rest[keyword] !== undefined) result[keyword] = rest[keyword]
  if (type === 'integer') Object.assign(result, integerBounds(rest))
  if (rest['x-kubernetes-int-or-string'] !== true) refuseVariants(schema)
  if (properties) {
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, member]) => [name, structuralSchema(member)]),
    )
  } else if (isSchema(additionalProperties)) result.additionalProperties = structuralSchema(additionalProperties)
  if (items) result.items = structuralSchema(items)
  return result
}

const KEPT = [
  'format',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'required',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const

const VARIANTS = ['oneOf', 'anyOf', 'allOf', 'not', 'prefixItems', '$ref'] as const

function refuseVariants(schema: JsonSchema): void {
  const found = VARIANTS.find((keyword) => schema[keyword] !== undefined)
  if (found !== undefined) throw new Error(`Cannot make a structural schema: ${found} is not allowed`)
}

/** The bounds of a safe integer say nothing. */
function integerBounds({ minimum, maximum }: Readonly<Record<string, unknown>>): Mutable {
  return {
    format: 'int64',
    ...(minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER && { maximum }),
  }
}

/** Defaults of objects are those of their fields. */
function describe(description: unknown, fallback: unknown): unknown {
  const isTold = fallback !== undefined && JSON.stringify(fallback) !== '{}' && JSON.stringify(fallback) !== '[]'
  return isTold ? `${description} Default: ${JSON.stringify(fallback)}.` : description
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null
}
