import { allOf } from '../../util/all-of.ts'
import type { HookedRoot, PublishHooks, PublishMark, StagedTree } from '../files/publish-hooks.ts'
import { AfterHook } from './after-hook.ts'
import { pathsBelow } from './changes-file.ts'
import { concerns, globsOf } from './concerns.ts'
import type { HookContext } from './hook-context.ts'
import type { HookOptions } from './options.ts'
import { runStagedCheck } from './run-staged-check.ts'
import type { StagedCheck } from './staged-check.ts'

const PRIVATE = 0o700

/** The hooks of one mirror, and what else is asked before a publish: `checks`, before the hooks. */
export class HookSet implements PublishHooks {
  readonly #before: readonly StagedCheck[]
  readonly #after: readonly HookOptions[]
  readonly #context: HookContext
  #running: readonly AfterHook[] = []
  #visible: PublishMark | undefined

  constructor(hooks: readonly HookOptions[], context: HookContext, checks: readonly StagedCheck[] = []) {
    const vetoing = hooks.filter(({ phase }) => phase === 'BeforePublish')
    this.#before = [...checks, ...vetoing.map(vetoOf)]
    this.#after = hooks.filter(({ phase }) => phase === 'AfterPublish')
    this.#context = context
  }

  opened(root: HookedRoot): void {
    const { files, directory } = this.#context
    if (files.lstat(directory) === undefined) files.mkdir(directory, PRIVATE)
    this.#visible = root.visible
    this.#running = this.#after.map((hook) => new AfterHook(hook, this.#context, root))
  }

  asks(changed: readonly string[] | undefined): boolean {
    return this.#before.some((check) => concerns(check, changed))
  }

  /** One after the other, in the order of the configuration; the first that refuses is the last that is asked. */
  async before(staged: StagedTree, signal: AbortSignal): Promise<void> {
    for (const check of this.#before) {
      if (!this.#isAsked(check, staged)) continue
      await runStagedCheck(check, staged, { context: this.#context, visible: this.#visible, signal })
    }
  }

  #isAsked(check: StagedCheck, { directory, changed }: StagedTree): boolean {
    if (!check.needsFile) return concerns(check, changed)
    const { files } = this.#context
    const matches = globsOf(check)
    for (const path of changed ?? pathsBelow(files, directory)) {
      if (matches(path) && files.lstat(`${directory}/${path}`) !== undefined) return true
    }
    return false
  }

  published(mark: PublishMark, changed: readonly string[] | undefined): void {
    this.#visible = mark
    for (const hook of this.#running) hook.published(mark, changed)
  }

  async told(signal: AbortSignal): Promise<void> {
    await allOf(this.#running.map((hook) => hook.told(signal)))
  }

  async close(): Promise<void> {
    const running = this.#running
    this.#running = []
    await Promise.all(running.map((hook) => hook.close()))
  }
}

function vetoOf(hook: HookOptions): StagedCheck {
  return { ...hook, needsFile: false, refusal: 'HookVetoed' }
}
