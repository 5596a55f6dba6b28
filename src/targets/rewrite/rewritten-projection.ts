import { GuardError } from '../../mirror/guard-error.ts'
import { printableKey } from '../files/key-path.ts'
import type { KeyChange } from '../files/path-changes.ts'
import type { Projection, ProjectionSource } from '../files/projection.ts'
import type { Rewriting } from './rewriting.ts'

/** As `source`, but keys go by other names. Two keys with one name hold the copy; so every key's name is remembered. */
export function rewrittenProjection(source: ProjectionSource, rewriting: Rewriting, prefix: Buffer): ProjectionSource {
  return {
    needsValues: true,
    close: () => source.close(),
    begin: (paths): Projection => {
      const inner = source.begin(paths)
      const names = new Names(rewriting, prefix)
      return {
        take: (changes, keyErrors) => inner.take(names.rename(changes), keyErrors),
        outputs: (position, signal) => inner.outputs(position, signal),
        published: () => inner.published(),
        get totals() {
          return inner.totals
        },
      }
    },
  }
}

/** Which key has which name, one byte a character. */
class Names {
  readonly #rewriting: Rewriting
  readonly #prefix: Buffer
  readonly #owners = new Map<string, string>()

  constructor(rewriting: Rewriting, prefix: Buffer) {
    this.#rewriting = rewriting
    this.#prefix = prefix
  }

  /** One change a name. The same changes may come again. Throws `GuardError` when two keys have one name. */
  rename(changes: Iterable<KeyChange>): Iterable<KeyChange> {
    const renamed = new Map<string, KeyChange>()
    const list = [...changes]
    // What gives a name up, first: another key may take it in the same step.
    for (const isPut of [false, true]) {
      for (const change of list) if ((change.value !== undefined) === isPut) this.#rename(change, renamed)
    }
    return renamed.values()
  }

  #rename(change: KeyChange, renamed: Map<string, KeyChange>): void {
    const key = change.key.subarray(this.#prefix.length)
    const name = this.#rewriting.nameOf(key)
    if (name === undefined) return
    const id = name.toString('latin1')
    const owner = this.#owners.get(id)
    const isOther = owner !== undefined && owner !== key.toString('latin1')
    if (change.value === undefined) {
      if (isOther) return
      this.#owners.delete(id)
    } else {
      if (isOther) throw conflict(Buffer.from(owner, 'latin1'), key, name)
      this.#owners.set(id, key.toString('latin1'))
    }
    renamed.set(id, { ...change, key: Buffer.concat([this.#prefix, name]) })
  }
}

function conflict(first: Buffer, second: Buffer, name: Buffer): GuardError {
  const [one, other] = [printableKey(first), printableKey(second)].sort()
  return new GuardError(
    'RenderFailed',
    `Cannot rewrite keys: ${one} and ${other} would both be named ${printableKey(name)}`,
    'Delete one of the two keys, or change rewrite.',
    printableKey(second),
  )
}
