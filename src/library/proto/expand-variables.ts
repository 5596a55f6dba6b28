/** Variables by name; undefined = not set. */
export type Variables = Readonly<Record<string, string | undefined>>

/** One string of JSON, or one reference outside of strings. */
const PIECE = /"[^"\\]*(?:\\.[^"\\]*)*"|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/gs
const REFERENCE = /\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/g

/**
 * Puts the values of variables in place of `$NAME` and `${NAME}` in JSON text. In a string the value becomes part of the
 * string, whatever it holds; outside it becomes JSON, so that `{"port": $PORT}` works. A name that is not set, and every
 * other `$`, stays as it is.
 */
export function expandVariables(json: string, variables: Variables): string {
  const replaced = (reference: string, braced: string | undefined, bare: string | undefined, isInString: boolean) => {
    const name = braced ?? bare ?? ''
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined
    if (value === undefined) return reference
    return isInString ? JSON.stringify(value).slice(1, -1) : value
  }
  return json.replace(PIECE, (piece, braced, bare) =>
    piece.startsWith('"')
      ? piece.replace(REFERENCE, (reference, inBraces, alone) => replaced(reference, inBraces, alone, true))
      : replaced(piece, braced, bare, false),
  )
}
