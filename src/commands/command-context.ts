export interface TextOutput {
  write(text: string): unknown
  /** A person looks at it. Default: false. */
  readonly isTTY?: boolean | undefined
  /** Width of that terminal. */
  readonly columns?: number | undefined
}

/** The process around a command: everything it may touch from outside its flags. */
export interface CommandContext {
  /** Aborts on SIGTERM and on the first SIGINT. */
  readonly signal: AbortSignal
  /** Calls back on every SIGHUP from now on. */
  onHangup(callback: () => void): void
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of etcd-mirror. */
  readonly version: string
}

/** A command: resolves to the exit code of the process; throws what {@link exitCodeOf} can judge. */
export type Command<Flags> = (flags: Flags, context: CommandContext) => Promise<number>
