/** What is wrong with one key in an output: words that follow the key's name, never any of its value. */
export class KeyFault extends Error {
  readonly hint: string

  constructor(state: string, hint: string) {
    super(state)
    this.name = 'KeyFault'
    this.hint = hint
  }
}
