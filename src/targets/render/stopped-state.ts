import { TEMPLATE_LIMITS } from './template-limits.ts'

/** Why a thread gave no answer, and what to do about it. `lateMs`: it was stopped after so long; undefined = it ended. */
export function stoppedState(
  lateMs: number | undefined,
  error: unknown,
): { readonly state: string; readonly hint: string } {
  if (lateMs !== undefined) return { state: `takes longer than ${lateMs / 1000} s`, hint: SIMPLER }
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return { state: `needs more than ${TEMPLATE_LIMITS.memoryMiB} MiB`, hint: SIMPLER }
  }
  return { state: 'ended its thread', hint: 'Report this.' }
}

const SIMPLER = 'Make it simpler, or give it fewer keys.'
