import { isCount, isRecord } from '../files/position-json.ts'
import type { PublishMark } from '../files/publish-hooks.ts'
import { writeJson } from '../files/write-json.ts'
import type { HookContext } from './hook-context.ts'

const SCHEMA = 1

/** What a hook was last told of, over restarts. Throws what a file call throws. */
export class HookRecord {
  readonly #context: HookContext
  readonly #path: string

  constructor(context: HookContext, hook: string) {
    this.#context = context
    this.#path = `${context.directory}/${hook}.json`
  }

  /** undefined = nothing, or nothing that this version understands. */
  read(): PublishMark | undefined {
    try {
      const json: unknown = JSON.parse(this.#context.files.read(this.#path)?.toString('utf8') ?? 'null')
      if (!isRecord(json) || json.schema !== SCHEMA || !isCount(json.revision) || !isCount(json.epoch)) return undefined
      const { revision, epoch, digest } = json
      return typeof digest === 'string' ? { revision, epoch, digest } : undefined
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }

  write(mark: PublishMark): void {
    writeJson(this.#context.files, this.#path, { schema: SCHEMA, ...mark })
  }
}
