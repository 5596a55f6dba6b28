const TOKEN = /\s+|[{}[\],:]|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** The line, from 1 on, where a text ceases to be JSON, by what `JSON.parse` said of it; undefined = not known. */
export function jsonFaultLine(text: string, error: unknown): number | undefined {
  const [, told] = /at position (\d+)/.exec(error instanceof Error ? error.message : '') ?? []
  const at = told === undefined ? firstOddity(text) : Number(told)
  return at === undefined ? undefined : text.slice(0, at).split('\n').length
}

/** Where no token of JSON stands. Of those the message of `JSON.parse` quotes the text instead of telling the place. */
function firstOddity(text: string): number | undefined {
  TOKEN.lastIndex = 0
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) if (!TOKEN.test(text)) return at
  return undefined
}
