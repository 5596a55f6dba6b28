const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400

/** A length of time as a person reads it: `12s`, `5m`, `3h`, `2d`; below zero counts as none. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < MINUTE_S) return `${seconds}s`
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)}m`
  return seconds < DAY_S ? `${Math.floor(seconds / HOUR_S)}h` : `${Math.floor(seconds / DAY_S)}d`
}
