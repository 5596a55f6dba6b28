import { GuardError } from '../../mirror/guard-error.ts'
import type { PublishMark, StagedTree } from '../files/publish-hooks.ts'
import { writeChangesFile } from './changes-file.ts'
import type { HookContext } from './hook-context.ts'
import { HookFailure } from './hook-failure.ts'
import type { StagedCheck } from './staged-check.ts'
import { timedRun } from './timed-run.ts'

/**
 * Runs a check over a tree that is about to be visible. Throws `GuardError` when it fails: the tree stays out of sight.
 * Rejects with the abort reason.
 */
export async function runStagedCheck(
  hook: StagedCheck,
  staged: StagedTree,
  { context, visible, signal }: { context: HookContext; visible: PublishMark | undefined; signal: AbortSignal },
): Promise<void> {
  const { directory, revision, changed } = staged
  const changes = `${context.directory}/${hook.name}.changes`
  writeChangesFile(context.files, changes, changed, directory)
  const environment = {
    MIRROR_NAME: context.mirror,
    MIRROR_FROM_REVISION: String(visible?.revision ?? 0),
    MIRROR_REVISION: String(revision),
    MIRROR_ROOT: context.root,
    MIRROR_CHANGES: changes,
  }
  try {
    await timedRun(hook, { directory, environment, timeoutMs: hook.timeoutMs, signal }, context)
  } catch (error) {
    if (!(error instanceof HookFailure)) throw error
    const subject = hook.refusal === 'HookVetoed' ? `the hook ${hook.name}` : `the command of ${hook.name}`
    throw new GuardError(
      hook.refusal,
      `Cannot publish revision ${revision}: ${subject} refuses it: ${error.message}`,
      'The log has what it printed. It is asked again with the next change, and at the latest after a minute.',
    )
  }
}
