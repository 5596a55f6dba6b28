/** Fields of one log line. Never a value of a key, never a password. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * The part of a pino logger that the rooms use: fields first, then a constant message.
 * info = state transitions, warn = retrying, error = data or a request lost, debug = per batch.
 */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
}

/** Default where the caller brings no logger: says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
}
