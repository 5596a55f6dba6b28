import { RE2JS } from 're2js'

/** A regular expression that takes time in proportion to the text, whatever both are. Throws what `patternFault` tells. */
export function compilePattern(pattern: string): RE2JS {
  return RE2JS.compile(pattern)
}

/** Why a regular expression cannot be used; undefined = it can. */
export function patternFault(pattern: string): string | undefined {
  try {
    compilePattern(pattern)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : 'is no regular expression'
  }
}
