import { fromBinary, toBinary } from '@bufbuild/protobuf'
import type { Serializer } from './serializer.ts'

/**
 * Messages in protobuf's binary format: small, and readable by every later version of the schema. The bytes of a message
 * with maps depend on the order of their entries: compare and swap needs the JSON serializer.
 */
export const binarySerializer: Serializer = {
  marshal: (schema, message) => toBinary(schema, message),
  unmarshal: (schema, value) => fromBinary(schema, value),
}
