import { isUtf8 } from 'node:buffer'
import { createTwoFilesPatch } from 'diff'
import { escapeControl } from '../observe/escape-control.ts'
import type { CopyDifference } from '../targets/files/copy-difference.ts'
import type { PublishedCopy } from '../targets/files/published-copy.ts'
import { readPublishedFile } from '../targets/files/read-published-file.ts'

/** Beyond it a diff helps nobody, and takes long. */
const MAX_BYTES = 1024 * 1024
const MAX_DIFF_MS = 2000

/** Lines of a unified diff from what stands in a path to what should; or one line that says why there is none. */
export function valueDiff(difference: CopyDifference, copy: PublishedCopy | undefined): readonly string[] {
  const { kind, path, bytes: after = Buffer.alloc(0) } = difference
  if (kind === 'mode' || kind === 'type') return []
  const before = copy && difference.before ? readPublishedFile(copy, path) : Buffer.alloc(0)
  if (before === undefined) return ['(the file is gone by now)']
  if (before.length > MAX_BYTES || after.length > MAX_BYTES) return ['(too large for a diff)']
  if (!isText(before) || !isText(after)) return ['(not text)']
  return textDiff(before.toString('utf8'), after.toString('utf8'))
}

function textDiff(before: string, after: string): readonly string[] {
  const patch = createTwoFilesPatch('a', 'b', before, after, undefined, undefined, { timeout: MAX_DIFF_MS })
  if (patch === undefined) return ['(too different for a diff)']
  const lines = patch.split('\n')
  // The heading names files; ours stands on the line before.
  const hunks = lines.slice(lines.findIndex((line) => line.startsWith('@@')))
  return hunks.filter((line) => line !== '').map(printed)
}

function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0)
}

/** A value must not steer the terminal. */
function printed(line: string): string {
  return line.split('\t').map(escapeControl).join('\t')
}
