/** One deliberate fault: `find` stands once in `file` and becomes `replace`; at least one of `tests` must fail. */
export interface Mutation {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** A second patch of the same file. */
  readonly and?: { readonly find: string; readonly replace: string }
  /** Files of the suite `unit`. */
  readonly tests: readonly string[]
}

export const MUTATIONS: readonly Mutation[]
export function mutate(text: string, mutation: Mutation): string
