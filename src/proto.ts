// The package's export "./proto": the data broker for messages of @bufbuild/protobuf, which has to be installed beside it.
export { binarySerializer } from './library/proto/binary-serializer.ts'
export type { Variables } from './library/proto/expand-variables.ts'
export { JsonSerializer, type JsonSerializerOptions } from './library/proto/json-serializer.ts'
export { ProtoBroker, type ProtoKeyValue } from './library/proto/proto-broker.ts'
export { protoLayer } from './library/proto/proto-layer.ts'
export { ProtoTxn } from './library/proto/proto-txn.ts'
export {
  type ProtoDeleteEvent,
  type ProtoPutEvent,
  type ProtoWatch,
  type ProtoWatchEvent,
  ProtoWatcher,
} from './library/proto/proto-watcher.ts'
export { ProtoWrapper, type WrappedConnection } from './library/proto/proto-wrapper.ts'
export type { Serializer } from './library/proto/serializer.ts'
