import type { HookedRoot, PublishHooks, PublishMark, StagedTree } from '../files/publish-hooks.ts'
import { AfterHook } from './after-hook.ts'
import { runBeforeHook } from './before-hook.ts'
import { concerns } from './concerns.ts'
import type { HookContext } from './hook-context.ts'
import type { HookOptions } from './options.ts'

const PRIVATE = 0o700

/** The hooks of one mirror. */
export class HookSet implements PublishHooks {
  readonly #before: readonly HookOptions[]
  readonly #after: readonly HookOptions[]
  readonly #context: HookContext
  #running: readonly AfterHook[] = []
  #visible: PublishMark | undefined

  constructor(hooks: readonly HookOptions[], context: HookContext) {
    this.#before = hooks.filter(({ phase }) => phase === 'BeforePublish')
    this.#after = hooks.filter(({ phase }) => phase === 'AfterPublish')
    this.#context = context
  }

  opened(root: HookedRoot): void {
    const { files, directory } = this.#context
    if (files.lstat(directory) === undefined) files.mkdir(directory, PRIVATE)
    this.#visible = root.visible
    this.#running = this.#after.map((hook) => new AfterHook(hook, this.#context, root))
  }

  /** One after the other, in the order of the configuration; the first that refuses is the last that is asked. */
  async before(staged: StagedTree, signal: AbortSignal): Promise<void> {
    for (const hook of this.#before) {
      if (!concerns(hook, staged.changed)) continue
      await runBeforeHook(hook, staged, { context: this.#context, visible: this.#visible, signal })
    }
  }

  published(mark: PublishMark, changed: readonly string[] | undefined): void {
    this.#visible = mark
    for (const hook of this.#running) hook.published(mark, changed)
  }

  async close(): Promise<void> {
    const running = this.#running
    this.#running = []
    await Promise.all(running.map((hook) => hook.close()))
  }
}
