const NUMBER_AND_UNITS = /^[-+]?(?:[\d.]{1,12} ?[a-zA-Zµμ]{0,3} ?){1,4}$/
const MAX_LENGTH = 20

/**
 * `"5x" is not a duration: ` (the words behind the value are `fault`) for text that was meant as a number with units, ''
 * for any other: what stands in the wrong place may be a password.
 */
export function quoteAttempt(value: string | number, fault: string): string {
  const isAttempt = typeof value === 'number' || (value.length <= MAX_LENGTH && NUMBER_AND_UNITS.test(value))
  return isAttempt ? `${JSON.stringify(value)} ${fault}` : ''
}
