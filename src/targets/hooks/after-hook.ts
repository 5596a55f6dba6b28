import { Backoff } from '../../util/backoff.ts'
import { EtcdMirrorError } from '../../util/etcd-mirror-error.ts'
import { Notifier } from '../../util/notifier.ts'
import type { HookedRoot, PinnedTree, PublishMark } from '../files/publish-hooks.ts'
import { writeChangesFile } from './changes-file.ts'
import { concerns } from './concerns.ts'
import type { HookContext } from './hook-context.ts'
import { HookRecord } from './hook-record.ts'
import type { HookOptions } from './options.ts'
import { timedRun } from './timed-run.ts'

/** What the hook has not heard of yet. */
interface Pending {
  readonly mark: PublishMark
  /** undefined = any path. */
  readonly changed: ReadonlySet<string> | undefined
}

/** What has become of its first `states` states. `failure`: why it has not heard of the last of them. */
interface Answer {
  readonly states: number
  readonly failure: string | undefined
}

/**
 * Runs a hook after publishes: one run at a time, always about the newest state, until it has succeeded for that; what
 * was published meanwhile is one more run. What it has heard of is remembered below the root, so that a publish is told
 * at least once, also over restarts.
 */
export class AfterHook {
  readonly #hook: HookOptions
  readonly #context: HookContext
  readonly #record: HookRecord
  readonly #changed = new Notifier()
  readonly #stop = new AbortController()
  readonly #pin: HookedRoot['pin']
  readonly #loop: Promise<void>
  readonly #answered = new Notifier()
  #told: PublishMark | undefined
  /** How many states were its business so far. */
  #states = 0
  /** Up to which of them it has heard of, or has failed to the end. */
  #answer: Answer = { states: 0, failure: undefined }
  #pending: Pending | undefined
  /** What was published since, and is none of its business: it is told of that with the next that is. */
  #aside: Pending | undefined

  /** Throws what a file call throws. */
  constructor(hook: HookOptions, context: HookContext, { visible, pin }: HookedRoot) {
    this.#hook = hook
    this.#context = context
    this.#pin = pin
    this.#record = new HookRecord(context, hook.name)
    this.#told = this.#record.read()
    if (visible !== undefined && !isSame(visible, this.#told)) {
      this.#pending = { mark: visible, changed: undefined }
      this.#states = 1
    }
    this.#loop = this.#run(this.#stop.signal)
  }

  /** Something else is visible. */
  published(mark: PublishMark, changed: readonly string[] | undefined): void {
    const next: Pending = { mark, changed: changed && new Set(changed) }
    if (this.#pending === undefined && !concerns(this.#hook, changed)) {
      this.#aside = merge(this.#aside, next)
      return
    }
    this.#pending = merge(this.#pending ?? this.#aside, next)
    this.#aside = undefined
    this.#states += 1
    this.#changed.notify()
  }

  /** See `PublishHooks.told`. */
  async told(signal: AbortSignal): Promise<void> {
    const states = this.#states
    while (this.#answer.states < states) await this.#answered.wait(this.#answered.version, signal)
    const { failure } = this.#answer
    if (failure === undefined) return
    throw new EtcdMirrorError('HookFailed', `Cannot run the hook ${this.#hook.name}: ${failure}`, true, {
      hint: 'What was published stays. The log has what the hook printed. An init container whose sidecar has the same hooks wants --skip-after-hooks.',
    })
  }

  /** Ends a run that goes on; what it was about is told after the next start. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstMs: 1000, maxMs: 30_000 })
    let failures = 0
    try {
      for (;;) {
        if (this.#pending === undefined) await this.#changed.wait(this.#changed.version, signal)
        if (failures === 0) await this.#context.clock.sleep(this.#hook.debounceMs, signal)
        const seen = this.#changed.version
        const states = this.#states
        const pending = this.#takePending()
        const failure = await this.#tell(pending, signal)
        if (failure === undefined) {
          this.#answers({ states, failure })
          failures = 0
          backoff.reset()
          continue
        }
        // What it did not hear of stays to be told, with whatever comes.
        this.#pending = merge(pending, this.#pending)
        failures += 1
        if (failures > this.#hook.retries) {
          failures = 0
          this.#answers({ states, failure })
          // What was published while it ran gets tries of its own.
          await this.#changed.wait(seen, signal)
        } else await this.#context.clock.sleep(backoff.nextMs(), signal)
      }
    } catch (error) {
      if (!signal.aborted) this.#context.logger.error({ ...this.#fields, err: error }, 'hook ended unexpectedly')
      this.#answers({ states: Number.POSITIVE_INFINITY, failure: 'it was stopped' })
    }
  }

  #answers(answer: Answer): void {
    this.#answer = answer
    this.#answered.notify()
  }

  #takePending(): Pending {
    const pending = this.#pending
    if (pending === undefined) throw new Error('nothing is pending')
    this.#pending = undefined
    return pending
  }

  /** undefined = the hook heard of it; else why not. Throws the abort reason. */
  async #tell({ mark, changed }: Pending, signal: AbortSignal): Promise<string | undefined> {
    const tree = this.#pin()
    if (tree === undefined) return undefined
    try {
      await this.#runIn(tree, mark, changed, signal)
      this.#record.write(mark)
      this.#told = mark
      this.#context.onResult(this.#hook.name, undefined)
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      const failure = error instanceof Error ? error : new Error('unknown failure')
      this.#context.onResult(this.#hook.name, failure)
      return failure.message
    } finally {
      tree.release()
    }
  }

  async #runIn(
    { directory }: PinnedTree,
    mark: PublishMark,
    changed: ReadonlySet<string> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { files, mirror, root, directory: own } = this.#context
    const path = `${own}/${this.#hook.name}.changes`
    writeChangesFile(files, path, changed && [...changed], directory)
    const environment = {
      MIRROR_NAME: mirror,
      MIRROR_FROM_REVISION: String(this.#told?.revision ?? 0),
      MIRROR_REVISION: String(mark.revision),
      MIRROR_ROOT: root,
      MIRROR_CHANGES: path,
    }
    await timedRun(this.#hook, { directory, environment, timeoutMs: this.#hook.timeoutMs, signal }, this.#context)
  }

  get #fields() {
    return { mirror: this.#context.mirror, hook: this.#hook.name }
  }
}

/** The newer state, and the paths of both. */
function merge(earlier: Pending | undefined, later: Pending | undefined): Pending {
  const newest = later ?? earlier
  if (newest === undefined) throw new Error('nothing to merge')
  if (earlier === undefined || later === undefined) return newest
  const isAny = earlier.changed === undefined || later.changed === undefined
  return {
    mark: later.mark,
    changed: isAny ? undefined : new Set([...(earlier.changed ?? []), ...(later.changed ?? [])]),
  }
}

function isSame(left: PublishMark, right: PublishMark | undefined): boolean {
  return left.revision === right?.revision && left.epoch === right.epoch && left.digest === right.digest
}
