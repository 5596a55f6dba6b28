import type { Totals } from '../../mirror/sink.ts'
import type { Position } from '../../replication/position.ts'
import type { KeyErrorSet } from '../files/key-errors.ts'
import type { KeyPaths } from '../files/key-paths.ts'
import type { PathChange } from '../files/path-change.ts'
import { type KeyChange, resolveChanges } from '../files/path-changes.ts'
import type { Projection, ProjectionSource } from '../files/projection.ts'
import { treeProjection } from '../files/tree-projection.ts'
import { Document } from './document.ts'
import { KeyValues } from './key-values.ts'
import type { RenderOptions } from './options.ts'
import type { Output } from './output.ts'
import { renderFailure } from './render-failure.ts'
import { Template } from './template.ts'
import { TemplateEngine } from './template-engine.ts'

/** How the states of a prefix become what `render` lists. */
export function renderingOf(render: readonly RenderOptions[], prefix: Buffer): ProjectionSource {
  const hasTree = render.some(({ tree }) => tree !== undefined)
  const templates = render.flatMap(({ template }) => template ?? [])
  const engine = new TemplateEngine(templates, prefix.toString('utf8'))
  const outputs: readonly Output[] = [
    ...render.flatMap(({ document }) => (document === undefined ? [] : [new Document(document)])),
    ...templates.map((template) => new Template(template, engine)),
  ]
  if (outputs.length === 0) return treeProjection
  return {
    needsValues: true,
    close: () => engine.close(),
    begin: (paths) => new Rendering({ outputs, prefixLength: prefix.length, paths: hasTree ? paths : undefined }),
  }
}

interface RenderingParts {
  readonly outputs: readonly Output[]
  readonly prefixLength: number
  /** undefined = keys have no files of their own. */
  readonly paths: KeyPaths | undefined
}

/** Keeps the values in memory that the outputs read, and makes those anew that a change concerns. */
class Rendering implements Projection {
  readonly #parts: RenderingParts
  readonly #values: KeyValues
  readonly #stale: Set<Output>

  constructor(parts: RenderingParts) {
    this.#parts = parts
    this.#values = new KeyValues((key) => parts.outputs.some((output) => output.reads(key)))
    this.#stale = new Set(parts.outputs)
  }

  get totals(): Totals {
    return this.#values.totals
  }

  take(changes: Iterable<KeyChange>, keyErrors: KeyErrorSet): PathChange[] {
    const { outputs, prefixLength, paths } = this.#parts
    const list = [...changes]
    for (const { key, value } of list) {
      const entry = this.#values.set(key.subarray(prefixLength), value)
      if (entry === undefined) continue
      for (const output of outputs) if (output.reads(entry.text)) this.#stale.add(output)
    }
    if (paths === undefined) return []
    return resolveChanges(paths, list, keyErrors).filter((change) => this.#isFree(change))
  }

  async outputs(position: Position, signal: AbortSignal): Promise<PathChange[]> {
    const changes: PathChange[] = []
    for (const output of this.#parts.outputs.filter((each) => this.#stale.has(each))) {
      const bytes = await output.render({ entries: this.#values.sorted, position, signal })
      changes.push({ path: output.file, bytes, modRevision: undefined })
    }
    return changes
  }

  published(): void {
    this.#stale.clear()
  }

  /** Throws for a key whose file would stand where an output does. One that is deleted never had a file. */
  #isFree({ path, bytes }: PathChange): boolean {
    const output = this.#parts.outputs.find(({ file }) => path === file || path.startsWith(`${file}/`))
    if (output === undefined) return true
    if (bytes === undefined) return false
    throw renderFailure(output.file, `the key ${path} has its place in the tree`, {
      key: path,
      hint: 'Give the output another path, or leave the key out by keys.exclude.',
    })
  }
}
