/** One path of a published copy that is not as etcd has it. */
export interface CopyDifference {
  readonly path: string
  /** `added`: to be made; `removed`: to go; `type`: something else than a file stands there, such as a link. */
  readonly kind: 'added' | 'changed' | 'removed' | 'mode' | 'type'
  /** What stands there; undefined = nothing. */
  readonly before: FileFacts | undefined
  /** What should stand there; undefined = nothing. */
  readonly after: FileFacts | undefined
  /** The key that belongs there, and when it got its value; undefined = none does. */
  readonly source: { readonly key: Buffer; readonly modRevision: number } | undefined
}

export interface FileFacts {
  readonly bytes: number
  /** Permission bits. */
  readonly mode: number
}
