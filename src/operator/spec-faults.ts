/** The issues of a schema, as far as they are told. */
interface Issues {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]
}

const MAX_TOLD = 5

/** What is wrong with a spec, each with its path: `spec.target.configMap.name: must be …`. */
export function specFaults({ issues }: Issues): string {
  const told = issues.slice(0, MAX_TOLD).map(({ path, message }) => {
    const place = path.reduce<string>(
      (text, segment) => (typeof segment === 'number' ? `${text}[${segment}]` : `${text}.${String(segment)}`),
      'spec',
    )
    return `${place}: ${message}`
  })
  const more = issues.length - told.length
  return more > 0 ? `${told.join('; ')}; and ${more} more` : told.join('; ')
}
