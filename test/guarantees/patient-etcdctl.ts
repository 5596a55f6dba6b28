import type { EtcdServer } from '../support/etcd-server.ts'
import type { EtcdctlOptions } from '../support/etcdctl.ts'
import { eventually } from '../support/wait.ts'
import { isUp } from './store.ts'

/** Only ends what hangs. */
const PATIENCE_MS = 120_000
const TIMEOUTS = ['--dial-timeout=20s', '--command-timeout=60s']
/** What etcd says when the same was done before, perhaps by a try that was never answered. */
const DONE_BEFORE =
  /already (exists|granted)|user name is empty|authentication is not enabled|permission is not granted|downgrade job in progress/

/** Asks one member after the other until one answers: a member may be down, without a leader, or slow. */
export async function patientEtcdctl(
  members: () => readonly EtcdServer[],
  args: readonly string[],
  options: EtcdctlOptions = {},
): Promise<string> {
  const ask = async () => {
    const failures: unknown[] = []
    for (const member of members().filter(isUp)) {
      try {
        return await member.etcdctl([...TIMEOUTS, ...args], options)
      } catch (error) {
        if (DONE_BEFORE.test(String(error))) return ''
        failures.push(error)
      }
    }
    throw new Error(`No member answers etcdctl ${args.join(' ')}: ${failures.map(String).join('; ')}`)
  }
  return await eventually(ask, { timeoutMs: PATIENCE_MS })
}
