import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

export interface PackageImport {
  readonly from: string
  readonly name: string
}

const IMPORTS = [
  /^(?:import|export)\b[^'"`=;()]*?\bfrom ['"]([^'"]+)['"]/gm,
  /^import ['"]([^'"]+)['"]/gm,
  /\b(?:import|require)\(['"]([^'"]+)['"]\)/g,
]

/** The files below src/ and what they import; types count like values. */
export class SourceTree {
  readonly files: ReadonlyMap<string, string>

  /** `files`: text by path below src/. */
  constructor(files: Readonly<Record<string, string>>) {
    this.files = new Map(Object.entries(files))
  }

  static read(src: string): SourceTree {
    const paths = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /(?<!\.d)\.(ts|js)$/.test(path),
    )
    return new SourceTree(Object.fromEntries(paths.map((path) => [path, readFileSync(join(src, path), 'utf8')])))
  }

  /** Files of the tree that `file` imports. */
  localImports(file: string): readonly string[] {
    const specifiers = this.#specifiers(file).filter((specifier) => specifier.startsWith('.'))
    const paths = specifiers.map((specifier) => posix.join(posix.dirname(file), specifier))
    return paths.filter((path) => this.files.has(path))
  }

  /** Packages that `file` imports, without Node's own modules. */
  packageImports(file: string): readonly PackageImport[] {
    const specifiers = this.#specifiers(file).filter((specifier) => !/^(\.|node:)/.test(specifier))
    return specifiers.map((specifier) => ({ from: file, name: /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier }))
  }

  /** `files` and everything that they import, directly or not. */
  reachableFrom(files: readonly string[]): ReadonlySet<string> {
    const reached = new Set(files.filter((file) => this.files.has(file)))
    for (const file of reached) for (const next of this.localImports(file)) reached.add(next)
    return reached
  }

  #specifiers(file: string): readonly string[] {
    const code = (this.files.get(file) ?? '').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    return IMPORTS.flatMap((pattern) => [...code.matchAll(pattern)].flatMap((match) => match[1] ?? []))
  }
}
