import type { Change } from '../../replication/change.ts'
import type { StateChange } from './prefix-state.ts'

export function toStateChange(change: Change): StateChange {
  return { key: change.key, value: change.type === 'put' ? change.value : undefined }
}
