import type { Etcd3, Namespace } from 'etcd3'
import { expectTypeOf, test } from 'vitest'
import type {
  Bytes,
  DeleteEvent,
  Etcd3Client,
  EtcdRpc,
  KeyRevision,
  KeyValue,
  KeyValueBroker,
  KeyValueTxn,
  KeyValueWatch,
  KeyValueWatcher,
  Leader,
  Leadership,
  Listing,
  PutEvent,
  ResyncEvent,
  WatchEvent,
} from '../../../src/index.ts'
import { EtcdConnection, Root } from '../../../src/index.ts'

// Checked by the compiler; at run time there is nothing to do.

test('an etcd3 client, and a namespace of one, is what usingClient takes, though the package is not needed to compile', () => {
  expectTypeOf<Etcd3>().toExtend<Etcd3Client>()
  expectTypeOf<Namespace>().toExtend<Etcd3Client>()
  expectTypeOf(EtcdConnection.usingClient).parameter(0).toEqualTypeOf<Etcd3Client>()
  expectTypeOf(EtcdConnection.usingRpc).parameter(0).toEqualTypeOf<EtcdRpc>()
})

test('a connection is the broker and the watcher of all keys', () => {
  expectTypeOf<EtcdConnection>().toExtend<KeyValueBroker>()
  expectTypeOf<EtcdConnection>().toExtend<KeyValueWatcher>()
  expectTypeOf<EtcdConnection>().toExtend<AsyncDisposable>()
  expectTypeOf<EtcdConnection['newBroker']>().returns.toEqualTypeOf<KeyValueBroker>()
  expectTypeOf<EtcdConnection['newWatcher']>().returns.toEqualTypeOf<KeyValueWatcher>()
  expectTypeOf(Root).toExtend<Bytes>()
})

test('keys and values go in as text or bytes, and come out as bytes', () => {
  expectTypeOf<Bytes>().toEqualTypeOf<string | Uint8Array>()
  expectTypeOf<KeyValueBroker['put']>().parameters.toExtend<[Bytes, Bytes, unknown?]>()
  expectTypeOf<KeyValue>().toEqualTypeOf<{ readonly key: Buffer; readonly value: Buffer; readonly revision: number }>()
  expectTypeOf<Buffer>().toExtend<Bytes>()
})

test('results say what may be missing', () => {
  expectTypeOf<KeyValueBroker['getValue']>().returns.resolves.toEqualTypeOf<KeyValue | undefined>()
  expectTypeOf<KeyValueBroker['delete']>().returns.resolves.toEqualTypeOf<boolean>()
  expectTypeOf<KeyValueBroker['put']>().returns.resolves.toEqualTypeOf<number>()
  expectTypeOf<KeyValueBroker['listValues']>().returns.toEqualTypeOf<Listing<KeyValue>>()
  expectTypeOf<KeyValueBroker['listKeys']>().returns.toEqualTypeOf<Listing<KeyRevision>>()
  expectTypeOf<KeyValueTxn['commit']>().returns.resolves.toEqualTypeOf<number>()
  expectTypeOf<EtcdConnection['getLeader']>().returns.resolves.toEqualTypeOf<Leader | undefined>()
  expectTypeOf<EtcdConnection['campaign']>().returns.resolves.toEqualTypeOf<Leadership>()
})

test('the type of an event decides what it holds', () => {
  expectTypeOf<KeyValueWatch>().toExtend<AsyncIterable<WatchEvent>>()
  expectTypeOf<WatchEvent>().toEqualTypeOf<PutEvent | DeleteEvent | ResyncEvent>()
  expectTypeOf<Extract<WatchEvent, { type: 'put' }>['value']>().toEqualTypeOf<Buffer>()
  expectTypeOf<Extract<WatchEvent, { type: 'delete' }>['value']>().toEqualTypeOf<undefined>()
  expectTypeOf<Exclude<WatchEvent, { type: 'resync' }>['previousValue']>().toEqualTypeOf<Buffer | undefined>()
})

test('options may be left out, given as undefined, and not misspelt', () => {
  type Options = Parameters<KeyValueBroker['getValue']>[1]
  expectTypeOf<{ signal: AbortSignal; timeoutMs: number }>().toExtend<NonNullable<Options>>()
  expectTypeOf<{ signal: undefined }>().toExtend<NonNullable<Options>>()
  // @ts-expect-error: there is no such option
  const options: Options = { timeout: 5 }
  expectTypeOf(options).not.toBeAny()
})
