// A connection with a life cycle: it reads etcd.conf (or ETCD_ENDPOINTS), reports its health, and runs what needs etcd as
// soon as there is one.
import { EtcdPlugin, Resync, StatusCheck } from 'etcd-mirror'

const statusCheck = new StatusCheck({ buildVersion: '1.0.0' })
const resync = new Resync()
resync.register('cache', async ({ reason }) => console.log('reading everything again:', reason))

await using plugin = new EtcdPlugin({ statusCheck, resync })
try {
  plugin.newBroker('/examples/plugin/')
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
}

const started = plugin.onConnect(async () => {
  const broker = plugin.newBroker('/examples/plugin/')
  await broker.put('started', 'yes')
  console.log('connected:', (await broker.getValue('started'))?.value.toString())
})
await plugin.init()
await plugin.afterInit()
await started

// What cn-infra's probes answer; serve it under /liveness and /readiness.
console.log('readiness', statusCheck.probe('readiness').statusCode)
console.log('if absent:', await plugin.putIfNotExists('/examples/plugin/started', 'no'))
for (const { subscriber, error } of await resync.doResync('by hand')) console.log(subscriber, error ?? 'done')

await plugin.close()
console.log('plugins', statusCheck.status().plugins.length)

// Prints:
// Cannot use the plugin etcd: it is not initialised
// connected: yes
// readiness 200
// if absent: false
// reading everything again: by hand
// cache done
// plugins 0
