import { isUtf8 } from 'node:buffer'
import { createTwoFilesPatch } from 'diff'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { escapeControl } from '../observe/escape-control.ts'
import type { CopyDifference } from '../targets/files/copy-difference.ts'
import type { PublishedCopy } from '../targets/files/published-copy.ts'
import { readPublishedFile } from '../targets/files/read-published-file.ts'

export interface ValueDiffOptions {
  readonly copy: PublishedCopy | undefined
  readonly rpc: EtcdRpc
  /** Of etcd. */
  readonly revision: number
  readonly signal: AbortSignal
}

/** Beyond it a diff helps nobody, and takes long. */
const MAX_BYTES = 1024 * 1024
const MAX_DIFF_MS = 2000

/** Lines of a unified diff from what stands there to etcd's value; one line that says why there is none. */
export async function valueDiff(difference: CopyDifference, options: ValueDiffOptions): Promise<readonly string[]> {
  const { kind, path, source } = difference
  if (kind === 'mode' || kind === 'type') return []
  const { copy, rpc, revision, signal } = options
  const before = copy && difference.before ? readPublishedFile(copy, path) : Buffer.alloc(0)
  const { kvs } = source ? await rpc.unary('range', { key: source.key, revision }, { signal }) : { kvs: [] }
  const after = kvs[0]?.value ?? Buffer.alloc(0)
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
