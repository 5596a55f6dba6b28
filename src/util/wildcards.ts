export interface WildcardRules<Token, Item> {
  /** The token stands for any number of items, also none. */
  readonly isAny: (token: Token) => boolean
  /** Any other token stands for one item: whether for this one. */
  readonly accepts: (token: Token, item: Item) => boolean
}

/**
 * Whether tokens stand for all of the items, in order. At most (tokens + 1) × items calls of `accepts`, whatever the
 * pattern: going back further than to the last "any" can never help, so only that one is remembered.
 */
export function matchesWildcards<Token, Item>(
  tokens: readonly Token[],
  items: readonly Item[],
  { isAny, accepts }: WildcardRules<Token, Item>,
): boolean {
  let token = 0
  let item = 0
  let retry: { readonly token: number; item: number } | undefined
  while (item < items.length) {
    const hasToken = token < tokens.length
    if (hasToken && isAny(tokens[token] as Token)) {
      token += 1
      retry = { token, item }
    } else if (hasToken && accepts(tokens[token] as Token, items[item] as Item)) {
      token += 1
      item += 1
    } else if (retry) {
      retry.item += 1
      token = retry.token
      item = retry.item
    } else return false
  }
  return tokens.slice(token).every(isAny)
}
