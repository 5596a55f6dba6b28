/** The keys that one revision changes. */
export class RevisionKeys {
  /** As long as they come in order: comparing two of them costs a fraction of hashing one. */
  #ascending: Buffer[] = []
  #names: Set<string> | undefined

  /** false = it is among them already. The key must not be changed afterwards. */
  add(key: Buffer): boolean {
    if (this.#names === undefined) {
      const last = this.#ascending.at(-1)
      if (last === undefined || last.compare(key) < 0) {
        this.#ascending.push(key)
        return true
      }
      this.#names = new Set(this.#ascending.map((known) => known.toString('latin1')))
    }
    const known = this.#names.size
    this.#names.add(key.toString('latin1'))
    return this.#names.size > known
  }
}
