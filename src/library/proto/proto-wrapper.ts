import type { DescMessage } from '@bufbuild/protobuf'
import type { Bytes, KeyValueBroker } from '../key-value-broker.ts'
import type { KeyValueWatcher, WatchOptions } from '../key-value-watcher.ts'
import { binarySerializer } from './binary-serializer.ts'
import { ProtoBroker } from './proto-broker.ts'
import { type ProtoWatch, ProtoWatcher } from './proto-watcher.ts'
import type { Serializer } from './serializer.ts'

/** What a `ProtoWrapper` wraps: an `EtcdConnection`, or something like it. */
export interface WrappedConnection extends KeyValueBroker, KeyValueWatcher {
  newBroker(prefix: Bytes): KeyValueBroker
  newWatcher(prefix: Bytes): KeyValueWatcher
  close(): Promise<void>
}

/** A connection whose values are messages: the broker of all keys, and the source of brokers and watchers of parts of them. */
export class ProtoWrapper extends ProtoBroker implements AsyncDisposable {
  readonly #connection: WrappedConnection
  readonly #serializer: Serializer
  readonly #watcher: ProtoWatcher

  /** `serializer`: default binary, as in the seed. */
  constructor(connection: WrappedConnection, serializer: Serializer = binarySerializer) {
    super(connection, serializer)
    this.#connection = connection
    this.#serializer = serializer
    this.#watcher = new ProtoWatcher(connection, serializer)
  }

  /** A broker of the keys that start with `prefix`; no "/" is added. It shares the connection. */
  newBroker(prefix: Bytes): ProtoBroker {
    return new ProtoBroker(this.#connection.newBroker(prefix), this.#serializer)
  }

  /** A watcher of the keys that start with `prefix`; no "/" is added. It shares the connection. */
  newWatcher(prefix: Bytes): ProtoWatcher {
    return new ProtoWatcher(this.#connection.newWatcher(prefix), this.#serializer)
  }

  watch<Desc extends DescMessage>(
    prefixes: Bytes | readonly Bytes[],
    schema: Desc,
    options?: WatchOptions,
  ): ProtoWatch<Desc> {
    return this.#watcher.watch(prefixes, schema, options)
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
