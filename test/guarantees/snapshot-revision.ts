import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type EtcdSeries, ensureEtcd } from '../rig/ensure.mjs'

/** What stands in a snapshot, and not what was acknowledged by then: the two may differ. */
export async function snapshotRevision(path: string, series: EtcdSeries): Promise<number> {
  const { etcdctl, etcdutl } = await ensureEtcd(series)
  const env = { PATH: process.env.PATH, ETCDCTL_API: '3' }
  const program = series === '3.4' ? etcdctl : etcdutl
  const { stdout } = await promisify(execFile)(program, ['snapshot', 'status', path, '-w', 'json'], { env })
  return (JSON.parse(stdout) as { revision: number }).revision
}
