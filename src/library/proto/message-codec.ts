import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { EtcdMirrorError } from '../../util/etcd-mirror-error.ts'
import { messageError } from './message-error.ts'
import type { Serializer } from './serializer.ts'

/** A serializer whose every failure is `InvalidMessage` and names the type, the key and perhaps the field. */
export class MessageCodec {
  readonly #serializer: Serializer

  constructor(serializer: Serializer) {
    this.#serializer = serializer
  }

  encode<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Uint8Array {
    if (typeof message !== 'object' || message === null || message.$typeName !== schema.typeName) {
      throw messageError('write', schema, { state: 'it is no message of that type' })
    }
    try {
      return this.#serializer.marshal(schema, message)
    } catch (cause) {
      throw isOurs(cause) ? cause : messageError('write', schema, { cause })
    }
  }

  decode<Desc extends DescMessage>(schema: Desc, key: Buffer, value: Uint8Array): MessageShape<Desc> {
    try {
      return this.#serializer.unmarshal(schema, value)
    } catch (cause) {
      const state = isOurs(cause) ? cause.message.replace(/^.*?: /s, '') : undefined
      throw messageError('read', schema, { key, cause, ...(state !== undefined && { state }) })
    }
  }
}

function isOurs(error: unknown): error is EtcdMirrorError {
  return error instanceof EtcdMirrorError && error.code === 'InvalidMessage'
}
