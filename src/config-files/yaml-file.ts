import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
} from 'yaml'
import type { Findings } from './findings.ts'

export type YamlPath = readonly (string | number)[]

export interface Place {
  readonly line: number
  readonly column: number
}

/** One parsed YAML document that knows where its nodes stand. */
export class YamlFile {
  readonly file: string
  /** Plain objects, arrays and scalars; null when the file holds nothing. */
  readonly data: unknown
  readonly #document: Document.Parsed
  readonly #lines: LineCounter

  constructor(file: string, document: Document.Parsed, lines: LineCounter) {
    this.file = file
    this.data = document.toJS()
    this.#document = document
    this.#lines = lines
  }

  /** Where the value at `path` begins, or its nearest ancestor that is there. */
  placeOf(path: YamlPath): Place {
    let node = this.#document.contents as Node | null
    let offset = node?.range?.[0]
    for (const segment of path) {
      const next = this.#pairOrItem(node, segment)
      if (next === undefined) break
      node = next.value
      offset = node?.range?.[0] ?? next.key?.range?.[0] ?? offset
    }
    return this.#place(offset)
  }

  /** Where the key that ends `path` stands. */
  placeOfKey(path: YamlPath): Place {
    let node = this.#document.contents as Node | null
    for (const segment of path.slice(0, -1)) node = this.#pairOrItem(node, segment)?.value ?? null
    const key = this.#pairOrItem(node, path.at(-1) ?? '')?.key
    return key?.range ? this.#place(key.range[0]) : this.placeOf(path)
  }

  #pairOrItem(parent: Node | null, segment: string | number): { key: Node | null; value: Node | null } | undefined {
    const node = isAlias(parent) ? parent.resolve(this.#document) : parent
    if (isSeq(node)) {
      const item = node.items[Number(segment)] as Node | undefined
      return item === undefined ? undefined : { key: null, value: item }
    }
    if (!isMap(node)) return undefined
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment)) as
      | Pair<Node, Node | null>
      | undefined
    return pair === undefined ? undefined : { key: pair.key, value: pair.value }
  }

  #place(offset = 0): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
}

/**
 * Reads and parses one file. A file that cannot be read or is not one well-formed YAML document becomes a problem, and
 * undefined comes back. Rejects only with the signal's reason.
 */
export async function readYamlFile(
  file: string,
  version: '1.1' | '1.2',
  findings: Findings,
  signal?: AbortSignal,
): Promise<YamlFile | undefined> {
  const text = await readText(file, findings, signal)
  return text === undefined ? undefined : parseYaml(file, text, version, findings)
}

async function readText(
  file: string,
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const refuse = (message: string) => findings.problem({ file, path: '', message })
  const source = await findings.sources.readConfig(file, signal)
  if (source.fault !== undefined) return void refuse(source.fault)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(source.bytes)
  } catch {
    return void refuse('is not UTF-8 text')
  }
}

function parseYaml(file: string, text: string, version: '1.1' | '1.2', findings: Findings): YamlFile | undefined {
  const lines = new LineCounter()
  // Keys that are no text take ever longer to make objects of: a line of 400 times "? " took 12 s, one of 800 minutes.
  const options = { version, stringKeys: true, prettyErrors: false, logLevel: 'error' } as const
  const document = parseDocument(text, { ...options, lineCounter: lines })
  // The first error only: the ones after it are mostly its echo.
  const error = document.errors[0] ?? document.warnings[0]
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0])
    return void findings.problem({ file, line, column: col, path: '', message: yamlFault(error) })
  }
  try {
    return new YamlFile(file, document, lines)
  } catch (error) {
    return void findings.problem({ file, path: '', message: `not usable YAML: ${aliasFault(error)}` })
  }
}

function yamlFault(error: YAMLError): string {
  switch (error.code) {
    case 'MULTIPLE_DOCS':
      return 'a second YAML document begins here: only one is allowed'
    case 'DUPLICATE_KEY':
      return 'this key stands here a second time'
    case 'TAB_AS_INDENT':
      return 'a tab indents this line: use spaces'
    case 'NON_STRING_KEY':
      return 'a key must be text'
    case 'RESOURCE_EXHAUSTION':
      return 'nested too deeply'
    default:
      // What follows a colon is content of the file, which need not be meant for a log.
      return `not valid YAML: ${error.message.replace(/:.*$/s, '')}`
  }
}

function aliasFault(error: unknown): string {
  if (error instanceof RangeError) return 'nested too deeply'
  const message = error instanceof Error ? error.message : ''
  return message.startsWith('Excessive alias count')
    ? 'its aliases expand to far too much'
    : 'an alias (*name) has no anchor before it'
}
