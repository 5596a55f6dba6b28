import { destination as fileDescriptor, pino, stdTimeFunctions } from 'pino'

import type { Logger } from '../util/logger.ts'
import { escapeControl } from './escape-control.ts'
import { loggedError, loggedFields } from './log-record.ts'
import { textLine } from './text-line.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFormat = 'json' | 'text'

/** Takes whole lines, each with its newline. Must not throw. */
export interface LogDestination {
  write(line: string): void
}

export interface LoggerOptions {
  readonly level: LogLevel
  /** `json`: one object a line for machines; `text`: one readable line for people. */
  readonly format: LogFormat
  /** Default: standard error, so that the output of a command stays clean. */
  readonly destination?: LogDestination
}

/**
 * The process's logger. Writing is synchronous, so that nothing is lost at exit. An error belongs in the field `err`: it
 * is printed as code, message and hint, with its stack only at level debug. Control characters from the outside are
 * escaped, so that nobody can forge a line or steer a terminal. Never throws.
 */
export function createLogger({ level, format, destination = standardError() }: LoggerOptions): Logger {
  const toLine = format === 'text' ? textLine : jsonLine
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: loggedFields },
      serializers: { err: (thrown: unknown) => loggedError(thrown, level === 'debug') },
    },
    { write: (line: string) => destination.write(toLine(line)) },
  )
}

/** JSON escapes C0 alone; the rest of what a terminal obeys is escaped here. */
function jsonLine(line: string): string {
  return `${escapeControl(line.trimEnd())}\n`
}

const KEPT_WHILE_UNWRITABLE_BYTES = 1024 * 1024

function standardError(): LogDestination {
  const stream = fileDescriptor({ dest: 2, sync: true, maxLength: KEPT_WHILE_UNWRITABLE_BYTES })
  // A full disk behind a redirected standard error must not end the mirror; without a listener it would.
  stream.on('error', () => {})
  return stream
}
