/** A key of the state that is rendered. */
export interface KeyEntry {
  /** The bytes below the prefix, one a character: sorts as etcd does. */
  readonly id: string
  /** As text; bytes that are no UTF-8 are U+FFFD. */
  readonly text: string
  /** Whether `text` is the key. */
  readonly isText: boolean
  /** Printable. */
  readonly name: string
  /** Not shared with anybody; undefined = no output looks at it. */
  readonly value: Buffer | undefined
  readonly size: number
}
