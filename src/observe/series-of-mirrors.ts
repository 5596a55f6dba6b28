type Labels = Readonly<Record<string, string>>

/**
 * Which series of one metric each mirror has, so that to forget a mirror is not to look at the series of thousands of others.
 * Costs nothing where a mirror can have but one.
 */
export class SeriesOfMirrors {
  readonly #others: readonly string[]
  /** The very labels that the metric keeps; a handful a mirror. */
  readonly #known = new Map<string, Labels[]>()

  /** `labels`: names of the metric's labels, `mirror` among them. */
  constructor(labels: readonly string[]) {
    this.#others = labels.filter((label) => label !== 'mirror')
  }

  note(series: Labels): void {
    if (this.#others.length === 0) return
    const { mirror = '' } = series
    const known = this.#known.get(mirror)
    if (known === undefined) this.#known.set(mirror, [series])
    else if (!known.some((each) => this.#isSame(each, series))) known.push(series)
  }

  /** The series of a mirror, which has none from now on. */
  take(mirror: string): readonly Labels[] {
    if (this.#others.length === 0) return [{ mirror }]
    const known = this.#known.get(mirror) ?? []
    this.#known.delete(mirror)
    return known
  }

  #isSame(a: Labels, b: Labels): boolean {
    return this.#others.every((label) => a[label] === b[label])
  }
}
