/** What `parseFileMode` accepts, for messages. */
export const FILE_MODE_FORMS = 'an octal mode in quotes, "0000" to "0777"'

/** The same as a pattern. */
export const FILE_MODE = /^0?[0-7]{3}$/

/** Permission bits of an octal text such as "0644" or "755"; undefined = not one (or beyond 0777). */
export function parseFileMode(text: string): number | undefined {
  return FILE_MODE.test(text) ? Number.parseInt(text, 8) : undefined
}
