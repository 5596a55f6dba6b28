/** What is to become of one path. */
export interface PathChange {
  readonly path: string
  /** undefined = nothing stands there. */
  readonly bytes: Buffer | undefined
  /** Of the key. */
  readonly modRevision: number
}

/** A file that is to stand there. */
export interface PathPut extends PathChange {
  readonly bytes: Buffer
}
