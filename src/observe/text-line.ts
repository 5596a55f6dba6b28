import { escapeControl } from './escape-control.ts'

interface LogRecord {
  readonly level: string
  readonly time: string
  readonly msg: string
  readonly err?: { readonly code?: string; readonly message?: string; readonly hint?: string; readonly stack?: string }
  readonly [field: string]: unknown
}

/**
 * One JSON log line as one line for people: `12:01:02 INFO  published mirror=app revision=17`, in local time. An error
 * follows the fields; its stack, present at level debug only, stands on indented lines of its own.
 */
export function textLine(jsonLine: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(jsonLine) as LogRecord
  const pairs = Object.entries({ ...fields, err: err?.message, code: err?.code, hint: err?.hint })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${printed(value)}`)
  const line = escapeControl(`${timeOfDay(time)} ${level.toUpperCase().padEnd(5)} ${msg}${pairs.join('')}`)
  return `${line}\n${stackLines(err?.stack)}`
}

function timeOfDay(time: string): string {
  return new Date(time).toTimeString().slice(0, 8)
}

/** Bare when it cannot be mistaken for anything else, else quoted as in JSON. */
function printed(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return typeof value !== 'string' || /^[^\s"=\\]+$/u.test(text) ? text : JSON.stringify(text)
}

function stackLines(stack: string | undefined): string {
  if (stack === undefined) return ''
  return stack
    .split('\n')
    .map((line) => `    ${escapeControl(line.trim())}\n`)
    .join('')
}
