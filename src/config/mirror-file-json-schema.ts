import { type JsonSchema, jsonSchemaOf } from '../config-files/json-schema.ts'
import { mirrorFileSchema } from './mirror-file-schema.ts'

/** JSON schema of mirror.yaml, for editors and pipelines. */
export function mirrorFileJsonSchema(): JsonSchema {
  return jsonSchemaOf(mirrorFileSchema)
}
