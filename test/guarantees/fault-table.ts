import type { Fault } from './fault.ts'
import { ALARM_FAULTS } from './faults/alarm.ts'
import { AUTH_FAULTS } from './faults/auth.ts'
import { RESTORE_FAULTS } from './faults/back-in-time.ts'
import { BEHIND_PROXY } from './faults/behind-proxy.ts'
import { BULK_FAULTS } from './faults/bulk.ts'
import { CERTIFICATE_FAULTS } from './faults/certificates.ts'
import { CLUSTER_FAULTS } from './faults/cluster.ts'
import { COMPACTION_FAULTS } from './faults/compaction.ts'
import { ENGINE_FAULTS } from './faults/engine.ts'
import { MEMBER_FAULTS } from './faults/member.ts'
import { NETWORK_FAULTS } from './faults/network.ts'
import { PROCESS_FAULTS } from './faults/process.ts'
import { VOLUME_FAULTS } from './faults/volume.ts'

/** Everything that the nemesis can do, by what it does it to. */
export const FAULT_FAMILIES: Readonly<Record<string, readonly Fault[]>> = {
  network: NETWORK_FAULTS,
  member: MEMBER_FAULTS,
  cluster: CLUSTER_FAULTS,
  bulk: BULK_FAULTS,
  compaction: COMPACTION_FAULTS,
  restore: [...RESTORE_FAULTS, BEHIND_PROXY],
  alarm: ALARM_FAULTS,
  auth: AUTH_FAULTS,
  engine: ENGINE_FAULTS,
  certificates: CERTIFICATE_FAULTS,
  volume: VOLUME_FAULTS,
  process: PROCESS_FAULTS,
}

export const FAULTS: readonly Fault[] = Object.values(FAULT_FAMILIES).flat()
