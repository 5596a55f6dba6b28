import { escapeControl } from '../observe/escape-control.ts'
import type { CopyDifference, FileFacts } from '../targets/files/copy-difference.ts'
import type { Paint, Palette } from './palette.ts'

/** `~ name   10 B → 14 B`, the path padded to `width`. Never a value. */
export function differenceLine(difference: CopyDifference, width: number, palette: Palette): string {
  const { mark, paint, detail } = shown(difference, palette)
  return `${paint(`${mark} ${printedPath(difference).padEnd(width)}`)}   ${detail}`
}

/** The width that lines these up, within reason. */
export function pathWidth(differences: readonly CopyDifference[]): number {
  return differences.reduce((width, difference) => Math.max(width, Math.min(60, printedPath(difference).length)), 0)
}

interface Shown {
  readonly mark: string
  readonly paint: Paint
  readonly detail: string
}

function shown({ kind, before, after }: CopyDifference, palette: Palette): Shown {
  switch (kind) {
    case 'added':
      return { mark: '+', paint: palette.good, detail: size(after) }
    case 'removed':
      return { mark: '-', paint: palette.bad, detail: size(before) }
    case 'changed':
      return { mark: '~', paint: palette.warn, detail: `${size(before)} → ${size(after)}` }
    case 'mode':
      return { mark: 'm', paint: palette.warn, detail: `${octal(before)} → ${octal(after)}` }
    case 'metadata':
      return { mark: 'm', paint: palette.warn, detail: 'labels or annotations' }
    case 'type':
      return { mark: '!', paint: palette.bad, detail: 'not a file, such as a link' }
  }
}

function printedPath({ path }: CopyDifference): string {
  return escapeControl(path)
}

function size(facts: FileFacts | undefined): string {
  return `${facts?.bytes ?? 0} B`
}

function octal(facts: FileFacts | undefined): string {
  return (facts?.mode ?? 0).toString(8).padStart(4, '0')
}
