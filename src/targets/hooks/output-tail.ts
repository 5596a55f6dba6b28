const MAX_BYTES = 4096

/** The end of what a program prints, in bounded memory. */
export class OutputTail {
  #parts: Buffer[] = []
  #length = 0
  #isCut = false

  add(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#length += chunk.length
    if (this.#length <= 2 * MAX_BYTES) return
    // Copied: a part of a chunk would keep all of it.
    const kept = Buffer.from(Buffer.concat(this.#parts).subarray(-MAX_BYTES))
    this.#parts = [kept]
    this.#length = kept.length
    this.#isCut = true
  }

  get text(): string {
    const text = Buffer.concat(this.#parts).subarray(-MAX_BYTES).toString('utf8').trimEnd()
    return this.#isCut || this.#length > MAX_BYTES ? `…${text}` : text
  }
}
