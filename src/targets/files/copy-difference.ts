/** One path, or name, of a published copy that is not as etcd has it. */
export interface CopyDifference {
  readonly path: string
  /**
   * `added`: to be made; `removed`: to go; `type`: something else than a file stands there, such as a link; `metadata`:
   * labels or annotations of an object.
   */
  readonly kind: 'added' | 'changed' | 'removed' | 'mode' | 'type' | 'metadata'
  /** What stands there; undefined = nothing. */
  readonly before: FileFacts | undefined
  /** What should stand there; undefined = nothing. */
  readonly after: FileFacts | undefined
  /** When the key that belongs there got its value; undefined = it belongs to no key, or to many. */
  readonly modRevision: number | undefined
  /** What should stand there; undefined = nothing, or it was not asked for. */
  readonly bytes: Buffer | undefined
}

export interface FileFacts {
  readonly bytes: number
  /** Permission bits; undefined = it is no file. */
  readonly mode: number | undefined
}
