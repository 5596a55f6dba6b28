import type { Fault } from './fault.ts'
import { RESTORE_FAULTS } from './faults/back-in-time.ts'
import { COMPACTION_FAULTS } from './faults/compaction.ts'
import { MEMBER_FAULTS } from './faults/member.ts'
import { NETWORK_FAULTS } from './faults/network.ts'
import { PROCESS_FAULTS } from './faults/process.ts'

/** Everything that the nemesis can do, by what it does it to. */
export const FAULT_FAMILIES: Readonly<Record<string, readonly Fault[]>> = {
  network: NETWORK_FAULTS,
  member: MEMBER_FAULTS,
  compaction: COMPACTION_FAULTS,
  restore: RESTORE_FAULTS,
  process: PROCESS_FAULTS,
}

export const FAULTS: readonly Fault[] = Object.values(FAULT_FAMILIES).flat()
