/** What a file or a Secret holds, without the one newline that most tools put at its end. */
export function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '')
}
