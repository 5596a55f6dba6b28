import type { LogFields } from '../util/logger.ts'

/** What is left of an error in a log line. Causes stay out: they come from libraries and may quote data. */
export interface LoggedError {
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly stack: string | undefined
}

/** Anything thrown, as the `err` field. What is not an Error is not printed: nobody vouches for what is in it. */
export function loggedError(thrown: unknown, withStack: boolean): LoggedError {
  if (!(thrown instanceof Error)) {
    return { code: 'Unknown', message: 'something that is not an error was thrown', hint: undefined, stack: undefined }
  }
  const { code, hint } = thrown as { code?: unknown; hint?: unknown }
  return {
    code: typeof code === 'string' ? code : thrown.name,
    message: thrown.message,
    hint: typeof hint === 'string' ? hint : undefined,
    stack: withStack ? thrown.stack : undefined,
  }
}

/** Ids (bigint) become decimal strings; bytes become their length, because they may be a key's value. */
export function loggedFields(fields: LogFields): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) plain[name] = loggedValue(value)
  return plain
}

function loggedValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return `<${value.byteLength} bytes>`
  return value
}
