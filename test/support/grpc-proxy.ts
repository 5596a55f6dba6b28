import { type EtcdSeries, ensureEtcd } from '../rig/ensure.mjs'
import { spawnTracked } from './child-process.ts'
import { waitForHealth } from './etcd-health.ts'
import { freePort } from './free-port.ts'

/** etcd's own proxy in front of an etcd: its clients stay connected when what is behind it goes away. */
export interface GrpcProxy extends AsyncDisposable {
  readonly port: number
}

/** Resolves once it answers for the etcd on `targetPort`. */
export async function startGrpcProxy(series: EtcdSeries, targetPort: number): Promise<GrpcProxy> {
  const { etcd } = await ensureEtcd(series)
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const args = [
    ...['grpc-proxy', 'start', `--endpoints=127.0.0.1:${targetPort}`],
    ...[`--listen-addr=${address}`, `--advertise-client-url=${address}`],
  ]
  const started = spawnTracked(etcd, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const end = async () => {
    started.child.kill('SIGKILL')
    await started.exit
  }
  try {
    await waitForHealth({ endpoint: `http://${address}` }, started)
  } catch (error) {
    await end()
    throw error
  }
  return { port, [Symbol.asyncDispose]: end }
}
