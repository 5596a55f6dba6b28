import type { HookContext } from './hook-context.ts'
import { HookFailure } from './hook-failure.ts'
import type { HookRun } from './hook-run.ts'
import type { HookOptions } from './options.ts'
import { type HookAction, runHook } from './run-hook.ts'

/** Runs a hook once, counts it, and logs what it printed when it fails. Throws `HookFailure`, or the abort reason. */
export async function timedRun(
  hook: HookAction & Pick<HookOptions, 'name'>,
  run: HookRun,
  context: HookContext,
): Promise<void> {
  const { metrics, clock, logger, mirror } = context
  const labels = { mirror, hook: hook.name }
  const startedMs = clock.monotonic()
  const count = (result: string) => {
    metrics.add('etcd_mirror_hook_runs_total', { ...labels, result })
    metrics.observe('etcd_mirror_hook_duration_seconds', labels, (clock.monotonic() - startedMs) / 1000)
  }
  const fields = { mirror, hook: hook.name, revision: Number(run.environment.MIRROR_REVISION) }
  try {
    await runHook(hook, run)
    count('success')
    logger.debug(fields, 'hook done')
  } catch (error) {
    if (!(error instanceof HookFailure)) throw error
    count(error.kind)
    const { message: reason, output } = error
    logger.warn({ ...fields, reason, ...(output !== '' && { output }) }, 'hook failed')
    throw error
  }
}
