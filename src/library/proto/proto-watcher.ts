import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import type { Bytes } from '../key-value-broker.ts'
import type {
  DeleteEvent,
  KeyValueWatch,
  KeyValueWatcher,
  PutEvent,
  ResyncEvent,
  WatchEvent,
  WatchOptions,
} from '../key-value-watcher.ts'
import { MessageCodec } from './message-codec.ts'
import type { Serializer } from './serializer.ts'

/** A message was created or changed. */
export interface ProtoPutEvent<Desc extends DescMessage> extends PutEvent {
  /** Throws `InvalidMessage` when the value is none of that type; the watch goes on. */
  message(): MessageShape<Desc>
  /** undefined as `previousValue`; throws as `message`. */
  previousMessage(): MessageShape<Desc> | undefined
}

/** A message was removed. */
export interface ProtoDeleteEvent<Desc extends DescMessage> extends DeleteEvent {
  /** As of `ProtoPutEvent`. */
  previousMessage(): MessageShape<Desc> | undefined
}

/** What a watch of messages delivers: `switch` on `type`. */
export type ProtoWatchEvent<Desc extends DescMessage> = ProtoPutEvent<Desc> | ProtoDeleteEvent<Desc> | ResyncEvent

/** A `KeyValueWatch` of messages. */
export interface ProtoWatch<Desc extends DescMessage>
  extends AsyncIterable<ProtoWatchEvent<Desc>>,
    Pick<KeyValueWatch, 'ready'> {}

/** A watcher whose values are messages. Everything else is as in `KeyValueWatcher`. */
export class ProtoWatcher {
  readonly #watcher: KeyValueWatcher
  readonly #codec: MessageCodec

  constructor(watcher: KeyValueWatcher, serializer: Serializer) {
    this.#watcher = watcher
    this.#codec = new MessageCodec(serializer)
  }

  watch<Desc extends DescMessage>(
    prefixes: Bytes | readonly Bytes[],
    schema: Desc,
    options?: WatchOptions,
  ): ProtoWatch<Desc> {
    const watch = this.#watcher.watch(prefixes, options)
    const typed = (event: WatchEvent) => this.#typed(event, schema)
    return {
      ready: () => watch.ready(),
      async *[Symbol.asyncIterator]() {
        for await (const event of watch) yield typed(event)
      },
    }
  }

  #typed<Desc extends DescMessage>(event: WatchEvent, schema: Desc): ProtoWatchEvent<Desc> {
    if (event.type === 'resync') return event
    const { key, previousValue } = event
    const decode = (value: Buffer) => this.#codec.decode(schema, key, value)
    const previousMessage = () => (previousValue === undefined ? undefined : decode(previousValue))
    return event.type === 'put'
      ? { ...event, message: () => decode(event.value), previousMessage }
      : { ...event, previousMessage }
  }
}
