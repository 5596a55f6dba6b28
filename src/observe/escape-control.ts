const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/**
 * Makes text from the outside safe to print on one line: control characters (C0, DEL, C1), line separators and
 * characters that turn the direction of writing become `\uXXXX`. JSON stays JSON with the same meaning.
 */
export function escapeControl(text: string): string {
  return text.replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
