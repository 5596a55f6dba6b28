import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** How to get a mount namespace here: as root, else in a user namespace of its own. */
const HOW = [[], ['--user', '--map-root-user']].find(
  (flags) => spawnSync('unshare', [...flags, '--mount', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0,
)

/** A tmpfs in a mount namespace of its own, so that nothing stays mounted whatever happens to the test. */
export class Volume implements AsyncDisposable {
  /** Where it stands for processes that `enter`. */
  readonly path: string
  readonly #holder: ChildProcess

  /** Mounts nothing yet. Makes the directory `path`. */
  static async at(path: string): Promise<Volume> {
    if (HOW === undefined) throw new Error('Cannot mount anything here, neither as root nor in a user namespace')
    await mkdir(path, { recursive: true })
    // It ends with its standard input, so at the latest with this process.
    const holder = spawn('unshare', [...HOW, '--mount', 'sh', '-c', 'echo; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    return new Volume(path, holder)
  }

  private constructor(path: string, holder: ChildProcess) {
    this.path = path
    this.#holder = holder
  }

  /** Where it stands for this process. */
  get seenAt(): string {
    return `/proc/${this.#holder.pid}/root${this.path}`
  }

  /** A command that runs another one, its last arguments, where the volume is mounted. */
  get enter(): readonly [string, ...string[]] {
    const user = HOW?.length ? ['--user', '--preserve-credentials'] : []
    return ['nsenter', '--target', String(this.#holder.pid), ...user, '--mount']
  }

  /** `options` as of mount(8) for tmpfs, such as `size=1m,nr_inodes=100`. */
  async mount(options: string): Promise<void> {
    await this.#call('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', this.path)
  }

  async resize(options: string): Promise<void> {
    // What it is mounted with is not said again: in a user namespace its owner has another number.
    const alone = ['--options-source', 'disable', '-t', 'tmpfs']
    await this.#call('mount', ...alone, '-o', `remount,${options}`, 'tmpfs', this.path)
  }

  /** Read-only for whoever comes by its path, also while somebody has a file open for writing. */
  async makeReadOnly(): Promise<void> {
    await this.#call('mount', '--bind', this.path, this.path)
    await this.#call('mount', '-o', 'remount,bind,ro', this.path)
  }

  /** Takes away what was mounted last, also while files of it are open. */
  async unmount(): Promise<void> {
    await this.#call('umount', '--lazy', this.path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#holder, 'exit')
    this.#holder.stdin?.end()
    await ended
  }

  async #call(...command: readonly string[]): Promise<void> {
    const [enter, ...args] = this.enter
    await run(enter, [...args, ...command])
  }
}
