import type { BrokerLayer, LayerSettings } from '../broker-layer.ts'
import type { Variables } from './expand-variables.ts'
import { JsonSerializer } from './json-serializer.ts'
import { ProtoBroker } from './proto-broker.ts'
import { ProtoWatcher } from './proto-watcher.ts'
import type { Serializer } from './serializer.ts'

/**
 * Makes the brokers and watchers of an `EtcdPlugin` those of messages. Default: JSON, as in the seed, which on reading puts
 * the environment's variables in place of their names when etcd.conf says `expand-env-variables`.
 */
export function protoLayer(
  serializer?: Serializer,
  variables: Variables = process.env,
): BrokerLayer<ProtoBroker, ProtoWatcher> {
  const used = ({ expandEnvVariables }: LayerSettings) =>
    serializer ?? new JsonSerializer(expandEnvVariables ? { variables } : {})
  return {
    broker: (broker, settings) => new ProtoBroker(broker, used(settings)),
    watcher: (watcher, settings) => new ProtoWatcher(watcher, used(settings)),
  }
}
