import type { MirrorDocument, StatusDocument } from '../server/status-document.ts'
import type { Paint, Palette } from './palette.ts'

const HEADINGS = ['MIRROR', 'STATE', 'REVISION', 'LAG', 'KEYS', 'LAST PUBLISH', 'LAST ERROR'] as const
const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400

/** The table that a person reads, and below it what is wrong with the configuration. `nowMs`: Unix time of the reader. */
export function statusTable(document: StatusDocument, nowMs: number, palette: Palette): string {
  const rows = document.mirrors.map((mirror) => rowOf(mirror, nowMs))
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[], paint: Paint, isHeading = false) =>
    cells
      .map((cell, column) => {
        const padded = column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)
        return isHeading || column === 1 ? paint(padded) : padded
      })
      .join('   ')
      .trimEnd()
  const lines = [
    line(HEADINGS, palette.strong, true),
    ...rows.map((row, index) => line(row, paintOf(document.mirrors[index], palette))),
    ...configLines(document, palette),
    ...compactionLines(document, palette),
  ]
  return `${lines.join('\n')}\n`
}

function rowOf(mirror: MirrorDocument, nowMs: number): readonly string[] {
  const { name, published, publishedRevision, lag, keys, keyErrors, lastPublishedAt, lastError } = mirror
  return [
    name,
    stateOf(mirror),
    published ? String(publishedRevision) : '-',
    String(lag),
    keyErrors.count > 0 ? `${keys} (${keyErrors.count} without a path)` : String(keys),
    lastPublishedAt === null ? '-' : `${ageOf(nowMs - Date.parse(lastPublishedAt))} ago`,
    lastError === null ? '-' : `${lastError.reason}: ${lastError.message}`,
  ]
}

function stateOf({ phase, seeded, snapshot }: MirrorDocument): string {
  const progress = snapshot && snapshot.total > 0 ? ` ${Math.floor((snapshot.read * 100) / snapshot.total)} %` : ''
  return `${phase}${progress}${seeded ? ' (seeded)' : ''}`
}

function paintOf(mirror: MirrorDocument | undefined, { good, warn, bad }: Palette): Paint {
  if (mirror?.phase === 'Held' || mirror?.published === false) return bad
  return mirror?.phase === 'Following' && mirror.lastError === null ? good : warn
}

function configLines({ config }: StatusDocument, { bad, warn }: Palette): readonly string[] {
  const { usesAcceptedCopy, lastReload } = config
  const problems = lastReload?.result === 'error' ? lastReload.problems : []
  return [
    ...(usesAcceptedCopy ? [warn('The configuration is the one that was accepted last: the files are broken.')] : []),
    ...problems.map((problem) => bad(`configuration: ${problem}`)),
  ]
}

/** `12s`, `5m`, `3h`, `2d`. */
function ageOf(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < MINUTE_S) return `${seconds}s`
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)}m`
  return seconds < DAY_S ? `${Math.floor(seconds / HOUR_S)}h` : `${Math.floor(seconds / DAY_S)}d`
}

/** Only what is wrong: periods of hours have little to show. */
function compactionLines({ compaction }: StatusDocument, { warn }: Palette): readonly string[] {
  const error = compaction?.lastError
  return error ? [warn(`auto-compact: ${error.reason}: ${error.message}`)] : []
}
