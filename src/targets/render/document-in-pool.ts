import { GuardError } from '../../mirror/guard-error.ts'
import { KeyFilter } from './key-filter.ts'
import type { DocumentOptions } from './options.ts'
import type { Output, RenderContext } from './output.ts'
import { renderFailure } from './render-failure.ts'
import type { RenderPool } from './render-pool.ts'

export interface RenderingTenant {
  readonly renderPool: RenderPool
  /** Whose turn it is. */
  readonly tenant: string
}

/** A document that is made in a process of its own: nothing that its keys hold can keep this one busy. */
export class DocumentInPool implements Output {
  readonly file: string
  readonly #options: DocumentOptions
  readonly #at: RenderingTenant
  readonly #keys: KeyFilter

  constructor(options: DocumentOptions, at: RenderingTenant) {
    this.file = options.file
    this.#options = options
    this.#at = at
    this.#keys = new KeyFilter(options.keys)
  }

  reads(key: string): boolean {
    return this.#keys.matches(key)
  }

  async render({ entries, signal }: RenderContext): Promise<Buffer> {
    const { renderPool, tenant } = this.#at
    // A copy of its own: a view would take along everything that it is a view of.
    const values = entries.map(({ id, value }) => [id, new Uint8Array(value ?? [])] as const)
    const answer = await renderPool.render(
      tenant,
      { kind: 'document', options: this.#options, entries: values },
      signal,
    )
    const { bytes, fault } = answer
    if (fault === undefined) return Buffer.from(bytes)
    const { state, hint, key } = fault
    if (answer.isStopped) throw renderFailure(this.file, `the document ${state}`, { hint })
    throw new GuardError('RenderFailed', state, hint, key)
  }
}
