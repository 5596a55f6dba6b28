import { expectTypeOf, test } from 'vitest'
import type { Contact, ContactSchema } from '../../../docs/examples/phonebook_pb.ts'
import type {
  EtcdConnection,
  EtcdPluginOptions,
  KeyValue,
  KeyValueBroker,
  KeyValueSyncOptions,
  KeyValueWatcher,
  ResyncResult,
  StatusWriter,
  SyncEvent,
} from '../../../src/index.ts'
import { EtcdPlugin, type KeyValueSync, type Resync, type StatusCheck } from '../../../src/index.ts'
import {
  JsonSerializer,
  type ProtoBroker,
  type ProtoWatchEvent,
  type ProtoWatcher,
  ProtoWrapper,
  protoLayer,
  type Serializer,
  type WrappedConnection,
} from '../../../src/proto.ts'

// Checked by the compiler; at run time there is nothing to do.

test('a schema decides the type of messages, in reads, lists and watches', () => {
  const check = async (broker: ProtoBroker, watcher: ProtoWatcher, schema: typeof ContactSchema, contact: Contact) => {
    expectTypeOf((await broker.getValue('a', schema))?.message()).toEqualTypeOf<Contact | undefined>()
    for await (const item of broker.listValues('', schema)) {
      expectTypeOf(item).toExtend<KeyValue>()
      expectTypeOf(item.message()).toEqualTypeOf<Contact>()
    }
    for await (const event of watcher.watch('', schema)) {
      if (event.type === 'put') expectTypeOf(event.message()).toEqualTypeOf<Contact>()
      if (event.type !== 'resync') expectTypeOf(event.previousMessage()).toEqualTypeOf<Contact | undefined>()
    }
    await broker.put('a', schema, contact)
    // @ts-expect-error: what has no type name is no message
    await broker.put('a', schema, { name: 'Ada' })
    // @ts-expect-error: text is no message
    await broker.put('a', schema, 'Ada')
  }
  expectTypeOf(check).toBeFunction()
  expectTypeOf<ProtoWatchEvent<typeof ContactSchema>['type']>().toEqualTypeOf<'put' | 'delete' | 'resync'>()
})

test('a connection is what a wrapper wraps, and a serializer may be anybody’s', () => {
  expectTypeOf<EtcdConnection>().toExtend<WrappedConnection>()
  expectTypeOf(ProtoWrapper).toBeConstructibleWith({} as EtcdConnection, {} as Serializer)
  expectTypeOf<JsonSerializer>().toExtend<Serializer>()
  expectTypeOf<ProtoWrapper>().toExtend<ProtoBroker>()
})

test('a plugin gives out bytes, or what its layer makes of them', () => {
  const bytes = new EtcdPlugin({ name: 'etcd' })
  expectTypeOf(bytes.newBroker).returns.toEqualTypeOf<KeyValueBroker>()
  expectTypeOf(bytes.newWatcher).returns.toEqualTypeOf<KeyValueWatcher>()
  const messages = new EtcdPlugin({ serializer: protoLayer(new JsonSerializer()) })
  expectTypeOf(messages.newBroker).returns.toEqualTypeOf<ProtoBroker>()
  expectTypeOf(messages.newWatcher).returns.toEqualTypeOf<ProtoWatcher>()
  expectTypeOf<EtcdPlugin>().toExtend<AsyncDisposable>()
})

test('a plugin takes a status check and a resync, or something like them', () => {
  expectTypeOf<StatusCheck>().toExtend<StatusWriter>()
  expectTypeOf<{ statusCheck: StatusCheck; resync: Resync }>().toExtend<EtcdPluginOptions>()
  expectTypeOf<Resync['doResync']>().returns.resolves.toEqualTypeOf<readonly ResyncResult[]>()
})

test('the type of a sync event decides what it holds', () => {
  expectTypeOf<{ broker: EtcdConnection; watcher: EtcdConnection }>().toExtend<KeyValueSyncOptions>()
  expectTypeOf<ReturnType<KeyValueSync['subscribe']>>().toExtend<AsyncIterable<SyncEvent>>()
  const check = (event: SyncEvent) => {
    if (event.type === 'resync') expectTypeOf(event.values).toEqualTypeOf<ReadonlyMap<string, readonly KeyValue[]>>()
    else expectTypeOf(event.previousValue).toEqualTypeOf<Buffer | undefined>()
    event.done(new Error('not now'))
  }
  expectTypeOf(check).toBeFunction()
})
