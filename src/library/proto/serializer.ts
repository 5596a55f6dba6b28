import type { DescMessage, MessageShape } from '@bufbuild/protobuf'

/**
 * Turns messages into values of keys and back. Whatever `unmarshal` throws reaches the caller as `InvalidMessage`, without
 * its text: it could hold the value.
 */
export interface Serializer {
  marshal<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Uint8Array
  unmarshal<Desc extends DescMessage>(schema: Desc, value: Uint8Array): MessageShape<Desc>
}
