import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { readFault } from './read-fault.ts'

/** What a configuration was read from, so that it can be read again when the files are gone or broken. No credentials. */
export interface ConfigRecording {
  /** Path → text, comments and unknown keys left out. */
  readonly files: Readonly<Record<string, string>>
  /** Those whose `*.yaml` were read. */
  readonly directories: readonly string[]
}

/** What stands in a file, or why it cannot be read, in words that follow its name. */
export type SourceFile = { readonly bytes: Buffer; readonly fault?: never } | { readonly fault: string }

/** No ConfigMap can hold more than 1 MiB; whatever is larger is not a configuration. */
const MAX_BYTES = 4 * 1024 * 1024

/**
 * The way to every file that decides about the configuration: it remembers what was looked at and what stood there. With
 * a recording, configuration files come from it alone; credentials are always read from disk.
 */
export class ConfigSources {
  readonly #replayed: ConfigRecording | undefined
  /** Path → digest of the content, or the fault. */
  readonly #seen = new Map<string, string>()
  readonly #texts = new Map<string, string>()
  readonly #kept = new Map<string, string>()
  readonly #directories: string[] = []

  constructor(replayed?: ConfigRecording) {
    this.#replayed = replayed
  }

  /** Every path that was looked at, there or not; `<directory>/*.yaml` for a directory that was listed. */
  get paths(): readonly string[] {
    return [...this.#seen.keys()]
  }

  /** Changes exactly when something that was looked at does. SHA-256, hex. */
  get digest(): string {
    return digestOf(JSON.stringify([...this.#seen].sort()))
  }

  /** As `digest`, of these files alone. */
  digestOf(paths: readonly (string | undefined)[]): string {
    return digestOf(JSON.stringify(paths.map((path) => (path === undefined ? null : this.#seen.get(path)))))
  }

  /** Texts of the configuration files as they stand there, also of those that turned out to be broken. */
  get texts(): readonly string[] {
    return [...this.#texts.values()]
  }

  /** What was kept, for a later replay. */
  get recording(): ConfigRecording {
    return { files: Object.fromEntries(this.#kept), directories: this.#directories }
  }

  /** A path that exists but cannot be looked at counts as a file: reading it says why. */
  async look(path: string): Promise<'file' | 'directory' | undefined> {
    const found = this.#replayed ? lookIn(this.#replayed, path) : await look(path)
    if (found !== 'file') this.#seen.set(path, found ?? 'nothing')
    return found
  }

  /** Names in a directory. Rejects with Node's error. */
  async list(directory: string): Promise<readonly string[]> {
    const names = this.#replayed ? namesIn(this.#replayed, directory) : await readdir(directory)
    const listed = names.filter((name) => name.endsWith('.yaml')).sort()
    this.#seen.set(join(directory, '*.yaml'), listed.join('/'))
    this.#directories.push(directory)
    return names
  }

  /** A configuration file. Rejects only with the signal's reason. */
  async readConfig(path: string, signal?: AbortSignal): Promise<SourceFile> {
    const replayed = this.#replayed?.files[path]
    if (replayed !== undefined) return this.#saw(path, { bytes: Buffer.from(replayed) })
    const file = await this.readCredential(path, signal)
    if (file.fault === undefined) this.#texts.set(path, file.bytes.toString('utf8'))
    return file
  }

  /** A certificate, key or password: its content is not remembered. Rejects only with the signal's reason. */
  async readCredential(path: string, signal?: AbortSignal): Promise<SourceFile> {
    return this.#saw(path, await read(path, signal))
  }

  /** Puts a file into the recording: what of it counted, and nothing that could be secret. */
  keep(path: string, content: unknown): void {
    this.#kept.set(path, `${JSON.stringify(content, null, 2)}\n`)
  }

  /** As `keep`, of a file that is not YAML. */
  keepText(path: string, text: string): void {
    this.#kept.set(path, text)
  }

  #saw(path: string, file: SourceFile): SourceFile {
    this.#seen.set(path, file.fault ?? digestOf(file.bytes))
    return file
  }
}

async function look(path: string): Promise<'file' | 'directory' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file'
  } catch (error) {
    return readFault(error) === 'does not exist' ? undefined : 'file'
  }
}

function lookIn({ files, directories }: ConfigRecording, path: string): 'file' | 'directory' | undefined {
  if (directories.includes(path)) return 'directory'
  return Object.hasOwn(files, path) ? 'file' : undefined
}

function namesIn({ files }: ConfigRecording, directory: string): string[] {
  const names = Object.keys(files).map((path) => basename(path))
  return names.filter((name) => Object.hasOwn(files, join(directory, name)))
}

async function read(path: string, signal: AbortSignal | undefined): Promise<SourceFile> {
  try {
    const found = await stat(path)
    if (!found.isFile()) return { fault: 'is not a file' }
    if (found.size > MAX_BYTES) return { fault: 'is larger than 4 MiB' }
    return { bytes: await readFile(path, { signal }) }
  } catch (error) {
    signal?.throwIfAborted()
    return { fault: readFault(error) }
  }
}

function digestOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
