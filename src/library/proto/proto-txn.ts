import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { Bytes, KeyValueTxn, OperationOptions } from '../key-value-broker.ts'
import type { MessageCodec } from './message-codec.ts'

/** A `KeyValueTxn` whose values are messages. What is no message of the schema is refused when it is added. */
export class ProtoTxn {
  readonly #txn: KeyValueTxn
  readonly #codec: MessageCodec

  constructor(txn: KeyValueTxn, codec: MessageCodec) {
    this.#txn = txn
    this.#codec = codec
  }

  put<Desc extends DescMessage>(key: Bytes, schema: Desc, message: MessageShape<Desc>): this {
    this.#txn.put(key, this.#codec.encode(schema, message))
    return this
  }

  delete(key: Bytes, options?: { readonly prefix?: boolean | undefined }): this {
    this.#txn.delete(key, options)
    return this
  }

  /** As of `KeyValueTxn`. */
  async commit(options?: OperationOptions): Promise<number> {
    return await this.#txn.commit(options)
  }
}
