import type { HookRun } from './hook-run.ts'
import type { HookOptions } from './options.ts'
import { runExec } from './run-exec.ts'
import { runHttp } from './run-http.ts'
import { runSignal } from './run-signal.ts'

/** What is done, exactly one of the three. */
export type HookAction = Pick<HookOptions, 'exec' | 'http' | 'signal'>

/** Does what a hook says, once. Throws `HookFailure`, or the abort reason. */
export async function runHook({ exec, http, signal }: HookAction, run: HookRun): Promise<void> {
  if (exec !== undefined) return await runExec(exec, run)
  if (http !== undefined) return await runHttp(http, run)
  if (signal !== undefined) runSignal(signal)
}
