/** What a document is made of. Objects have no prototype, so that every name is only a name. */
export type Plain = string | number | boolean | null | readonly Plain[] | PlainObject

export interface PlainObject {
  readonly [name: string]: Plain
}

export function isPlainObject(value: Plain): value is PlainObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
