import { type MirrorLine, mirrorLine } from '../server/mirror-line.ts'
import type { StatusDocument } from '../server/status-document.ts'
import type { Paint, Palette } from './palette.ts'

const HEADINGS = ['MIRROR', 'STATE', 'REVISION', 'LAG', 'KEYS', 'LAST PUBLISH', 'LAST ERROR'] as const

/** The table that a person reads, and below it what is wrong with the configuration. `nowMs`: Unix time of the reader. */
export function statusTable(document: StatusDocument, nowMs: number, palette: Palette): string {
  const mirrors = document.mirrors.map((mirror) => mirrorLine(mirror, nowMs))
  const rows = mirrors.map(cellsOf)
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
    ...mirrors.map((mirror) => line(cellsOf(mirror), palette[mirror.tone])),
    ...configLines(document, palette),
    ...compactionLines(document, palette),
  ]
  return `${lines.join('\n')}\n`
}

function cellsOf({ name, state, revision, lag, keys, lastPublish, lastError }: MirrorLine): readonly string[] {
  return [name, state, revision, lag, keys, lastPublish, lastError]
}

function configLines({ config }: StatusDocument, { bad, warn }: Palette): readonly string[] {
  const { usesAcceptedCopy, lastReload } = config
  const problems = lastReload?.result === 'error' ? lastReload.problems : []
  return [
    ...(usesAcceptedCopy ? [warn('The configuration is the one that was accepted last: the files are broken.')] : []),
    ...problems.map((problem) => bad(`configuration: ${problem}`)),
  ]
}

/** Only what is wrong: periods of hours have little to show. */
function compactionLines({ compaction }: StatusDocument, { warn }: Palette): readonly string[] {
  const error = compaction?.lastError
  return error ? [warn(`auto-compact: ${error.reason}: ${error.message}`)] : []
}
