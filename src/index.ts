// The package's public face: the data broker, the engine's primitives it is made of, and the errors they throw.
export { AuthError } from './etcd/auth-error.ts'
export { CompactedError } from './etcd/compacted-error.ts'
export { EtcdClient } from './etcd/etcd-client.ts'
export type { KeyValue as StoredKeyValue } from './etcd/key-value.ts'
export type { EtcdOptions, TlsOptions } from './etcd/options.ts'
export type { EtcdRpc } from './etcd/rpc.ts'
export { UnavailableError } from './etcd/unavailable-error.ts'
export type { AgentStatus, PluginState, PluginStatus, StatusWriter } from './library/agent-status.ts'
export { MAX_KEY_BYTES } from './library/arguments.ts'
export type { BrokerLayer, LayerSettings } from './library/broker-layer.ts'
export type { ConnectionConfig } from './library/connection-config.ts'
export type { CampaignOptions } from './library/election.ts'
export { type ConnectionDependencies, type ConnectionSettings, EtcdConnection } from './library/etcd-connection.ts'
export { EtcdPlugin, type EtcdPluginOptions } from './library/etcd-plugin.ts'
export type { Etcd3Client } from './library/etcd3-client.ts'
export {
  type Bytes,
  type DeleteOptions,
  type KeyRevision,
  type KeyValue,
  type KeyValueBroker,
  type KeyValueTxn,
  type Listing,
  type ListOptions,
  type OperationOptions,
  type PutOptions,
  Root,
} from './library/key-value-broker.ts'
export { type KeyValueSubscription, KeyValueSync, type KeyValueSyncOptions } from './library/key-value-sync.ts'
export type {
  DeleteEvent,
  KeyValueWatch,
  KeyValueWatcher,
  PutEvent,
  ResyncEvent,
  WatchEvent,
  WatchOptions,
} from './library/key-value-watcher.ts'
export type { Leader, Leadership } from './library/leadership.ts'
export type { PluginConfig, PluginConfigSource } from './library/plugin-config.ts'
export type { ProbeDocument, ProbeName } from './library/probe-document.ts'
export {
  Resync,
  type ResyncHandler,
  type ResyncOptions,
  type ResyncResult,
  type ResyncRound,
} from './library/resync.ts'
export { StatusCheck, type StatusCheckOptions } from './library/status-check.ts'
export type { SyncChangeEvent, SyncEvent, SyncResyncEvent } from './library/sync-event.ts'
export type { Batch, Progress } from './replication/batch.ts'
export type { Change } from './replication/change.ts'
export { type RevisionStream, watchRevisions } from './replication/revisions.ts'
export { type Snapshot, takeSnapshot } from './replication/snapshot.ts'
export { type ErrorCode, EtcdMirrorError } from './util/etcd-mirror-error.ts'
export type { LogFields, Logger } from './util/logger.ts'
