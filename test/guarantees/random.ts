/** Random numbers that a seed repeats (mulberry32). */
export class Random {
  readonly #seed: number
  #state: number

  /** Any integer. */
  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#state = this.#seed
  }

  /** Numbers of their own for one part: how many others are drawn changes nothing in it. */
  fork(part: string): Random {
    let hash = this.#seed ^ 0x9e3779b9
    for (const char of part) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
    return new Random(hash)
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** Throws when there is nothing to pick from. */
  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.int(0, choices.length - 1)]
    if (choice === undefined) throw new Error('Cannot pick: there is no choice')
    return choice
  }

  /** By weight; a weight of 0 is never picked. */
  weighted<T extends { readonly weight: number }>(choices: readonly T[]): T {
    let left = this.next() * choices.reduce((sum, { weight }) => sum + weight, 0)
    const found = choices.find(({ weight }) => {
      left -= weight
      return left < 0
    })
    return found ?? this.pick(choices)
  }

  shuffled<T>(items: readonly T[]): readonly T[] {
    const left = [...items]
    return items.map(() => left.splice(this.int(0, left.length - 1), 1)[0] as T)
  }
}
