/** What is to become of one path. */
export interface PathChange {
  readonly path: string
  /** undefined = nothing stands there. */
  readonly bytes: Buffer | undefined
  /** Of the key; undefined = the path stands for many. */
  readonly modRevision: number | undefined
}

/** A file that is to stand there. */
export interface PathPut extends PathChange {
  readonly bytes: Buffer
}
