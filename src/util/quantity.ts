const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
}

/** What `parseQuantity` accepts, for messages. */
export const QUANTITY_FORMS = 'a whole number with an optional k, M, G, Ki, Mi or Gi, such as 256Mi'

/** Bytes of a Kubernetes-like quantity; undefined = not one, or beyond 2^53. */
export function parseQuantity(text: string): number | undefined {
  const [, digits, suffix = ''] = /^(\d+)(k|M|G|Ki|Mi|Gi)?$/.exec(text) ?? []
  if (digits === undefined) return undefined
  const value = Number(digits) * (FACTORS[suffix] as number)
  return Number.isSafeInteger(value) ? value : undefined
}

/** The shortest exact form in binary units: `parseQuantity` gives the number back. */
export function formatQuantity(bytes: number): string {
  for (const suffix of ['Gi', 'Mi', 'Ki']) {
    const factor = FACTORS[suffix] as number
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${suffix}`
  }
  return String(bytes)
}
