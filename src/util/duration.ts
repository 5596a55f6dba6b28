const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y
/** Go's time.Duration is an int64 of nanoseconds. */
const LIMIT_MS = 2 ** 63 / 1e6

/** What a duration may look like, for messages. */
export const DURATION_FORMS = 'numbers with a unit (ns, us, ms, s, m, h) such as "500ms", "5s", "1m30s" or "1.5h"'

/** The longest wait a timer of Node takes; a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Milliseconds (with a fraction below 1 ms) of a duration as Go's `time.ParseDuration` reads it; undefined = not one.
 * A leading sign is read too, so that callers can say "negative".
 */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1
  const body = text.replace(/^[-+]/, '')
  if (body === '0') return 0
  let nanoseconds = 0
  PART.lastIndex = 0
  let end = 0
  for (let part = PART.exec(body); part !== null; part = PART.exec(body)) {
    nanoseconds += Math.round(Number(part[1]) * (NANOSECONDS[part[2] ?? ''] ?? Number.NaN))
    end = PART.lastIndex
  }
  const ms = nanoseconds / 1e6
  return body !== '' && end === body.length && ms < LIMIT_MS ? sign * ms + 0 : undefined
}

/** The shortest form that {@link parseDuration} reads back as the same number of nanoseconds; `ms` ≥ 0. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms * 1e6)
  let text = ''
  for (const unit of ['h', 'm', 's', 'ms', 'us', 'ns']) {
    const size = NANOSECONDS[unit] ?? 1
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}
