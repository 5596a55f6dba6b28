import type { KeyValueBroker } from './key-value-broker.ts'
import type { KeyValueWatcher } from './key-value-watcher.ts'

/** What the configuration says about reading values. */
export interface LayerSettings {
  /** `expand-env-variables` of etcd.conf. */
  readonly expandEnvVariables: boolean
}

/** Decides what the brokers and watchers of an `EtcdPlugin` are; without one they give out bytes. */
export interface BrokerLayer<Broker, Watcher> {
  broker(broker: KeyValueBroker, settings: LayerSettings): Broker
  watcher(watcher: KeyValueWatcher, settings: LayerSettings): Watcher
}
