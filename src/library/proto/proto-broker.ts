import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type {
  Bytes,
  DeleteOptions,
  KeyRevision,
  KeyValue,
  KeyValueBroker,
  Listing,
  ListOptions,
  OperationOptions,
  PutOptions,
} from '../key-value-broker.ts'
import { MappedListing } from '../mapped-listing.ts'
import { MessageCodec } from './message-codec.ts'
import { ProtoTxn } from './proto-txn.ts'
import type { Serializer } from './serializer.ts'

/** One key whose value is a message. */
export interface ProtoKeyValue<Desc extends DescMessage> extends KeyValue {
  /** Throws `InvalidMessage` when the value is none of that type. */
  message(): MessageShape<Desc>
}

/**
 * A broker whose values are messages. Everything else is as in `KeyValueBroker`. What is no message of the schema is
 * refused with `InvalidMessage` before anything is sent.
 */
export class ProtoBroker {
  readonly #broker: KeyValueBroker
  readonly #codec: MessageCodec

  constructor(broker: KeyValueBroker, serializer: Serializer) {
    this.#broker = broker
    this.#codec = new MessageCodec(serializer)
  }

  async put<Desc extends DescMessage>(
    key: Bytes,
    schema: Desc,
    message: MessageShape<Desc>,
    options?: PutOptions,
  ): Promise<number> {
    return await this.#broker.put(key, this.#codec.encode(schema, message), options)
  }

  async delete(key: Bytes, options?: DeleteOptions): Promise<boolean> {
    return await this.#broker.delete(key, options)
  }

  /** Rejects with `InvalidMessage` when the value is no message of the schema. */
  async getValue<Desc extends DescMessage>(
    key: Bytes,
    schema: Desc,
    options?: OperationOptions,
  ): Promise<ProtoKeyValue<Desc> | undefined> {
    return this.#read(await this.#broker.getValue(key, options), schema)
  }

  /** As `getValue`, at a revision. */
  async getValueRev<Desc extends DescMessage>(
    key: Bytes,
    schema: Desc,
    revision: number,
    options?: OperationOptions,
  ): Promise<ProtoKeyValue<Desc> | undefined> {
    return this.#read(await this.#broker.getValueRev(key, revision, options), schema)
  }

  /** A value that is no message shows when its `message` is asked for: it does not keep the others from being read. */
  listValues<Desc extends DescMessage>(
    prefix: Bytes,
    schema: Desc,
    options?: ListOptions,
  ): Listing<ProtoKeyValue<Desc>> {
    return new MappedListing(this.#broker.listValues(prefix, options), (kv) => this.#typed(kv, schema))
  }

  listValuesRange<Desc extends DescMessage>(
    from: Bytes,
    to: Bytes,
    schema: Desc,
    options?: ListOptions,
  ): Listing<ProtoKeyValue<Desc>> {
    return new MappedListing(this.#broker.listValuesRange(from, to, options), (kv) => this.#typed(kv, schema))
  }

  listKeys(prefix: Bytes, options?: ListOptions): Listing<KeyRevision> {
    return this.#broker.listKeys(prefix, options)
  }

  newTxn(): ProtoTxn {
    return new ProtoTxn(this.#broker.newTxn(), this.#codec)
  }

  async putIfNotExists<Desc extends DescMessage>(
    key: Bytes,
    schema: Desc,
    message: MessageShape<Desc>,
    options?: OperationOptions,
  ): Promise<boolean> {
    return await this.#broker.putIfNotExists(key, this.#codec.encode(schema, message), options)
  }

  /**
   * Compares what `expected` is written as, so the serializer must write one message in one way, as the JSON one does, and
   * a value that another program wrote in another way is another value.
   */
  async compareAndSwap<Desc extends DescMessage>(
    key: Bytes,
    schema: Desc,
    expected: MessageShape<Desc>,
    message: MessageShape<Desc>,
    options?: OperationOptions,
  ): Promise<boolean> {
    const [before, after] = [this.#codec.encode(schema, expected), this.#codec.encode(schema, message)]
    return await this.#broker.compareAndSwap(key, before, after, options)
  }

  /** Compares as `compareAndSwap` does. */
  async compareAndDelete<Desc extends DescMessage>(
    key: Bytes,
    schema: Desc,
    expected: MessageShape<Desc>,
    options?: OperationOptions,
  ): Promise<boolean> {
    return await this.#broker.compareAndDelete(key, this.#codec.encode(schema, expected), options)
  }

  #read<Desc extends DescMessage>(kv: KeyValue | undefined, schema: Desc): ProtoKeyValue<Desc> | undefined {
    if (kv === undefined) return undefined
    const message = this.#codec.decode(schema, kv.key, kv.value)
    return { ...kv, message: () => message }
  }

  #typed<Desc extends DescMessage>(kv: KeyValue, schema: Desc): ProtoKeyValue<Desc> {
    return { ...kv, message: () => this.#codec.decode(schema, kv.key, kv.value) }
  }
}
