/** `, did you mean "x"?` for the known name nearest to `word`, or '' when none is near. Case, `-` and `_` do not count. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const name = nearestName(word, known)
  return name === undefined ? '' : `, did you mean "${name}"?`
}

/** The known name nearest to `word`: at most a third of its letters off, or one begins with the other. */
export function nearestName(word: string, known: Iterable<string>): string | undefined {
  const wanted = plain(word)
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const name of known) {
    const distance = nearness(wanted, plain(name))
    if (distance < bestDistance) [best, bestDistance] = [name, distance]
  }
  return best
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

function nearness(wanted: string, name: string): number {
  const distance = editDistance(wanted, name)
  if (distance <= Math.max(1, Math.floor(name.length / 3))) return distance
  const begins = wanted.length >= 3 && (name.startsWith(wanted) || (name.length >= 3 && wanted.startsWith(name)))
  return begins ? distance : Number.POSITIVE_INFINITY
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
