import { formatAge } from '../util/age.ts'
import type { MirrorDocument } from './status-document.ts'

/** Whether somebody has to look: `bad` = consumers lack something, `warn` = it may be old, or about to change. */
export type Tone = 'good' | 'warn' | 'bad'

/** One mirror in the words of a table. */
export interface MirrorLine {
  readonly name: string
  readonly tone: Tone
  readonly state: string
  readonly revision: string
  readonly lag: string
  readonly keys: string
  readonly lastPublish: string
  /** When the copy was last known to equal etcd. */
  readonly knownEqual: string
  readonly lastError: string
}

/** What a person reads of a mirror, on a terminal and in a browser; '-' = there is none. `nowMs`: Unix time of the reader. */
export function mirrorLine(mirror: MirrorDocument, nowMs: number): MirrorLine {
  const { name, published, publishedRevision, lag, keys, keyErrors, lastError } = mirror
  return {
    name,
    tone: toneOf(mirror),
    state: stateOf(mirror),
    revision: published ? String(publishedRevision) : '-',
    lag: String(lag),
    keys: keyErrors.count > 0 ? `${keys} (${keyErrors.count} without a path)` : String(keys),
    lastPublish: agoOf(mirror.lastPublishedAt, nowMs),
    knownEqual: agoOf(mirror.lastKnownEqualAt, nowMs),
    lastError: lastError === null ? '-' : `${lastError.reason}: ${lastError.message}`,
  }
}

function agoOf(at: string | null, nowMs: number): string {
  return at === null ? '-' : `${formatAge(nowMs - Date.parse(at))} ago`
}

function stateOf({ phase, seeded, snapshot }: MirrorDocument): string {
  const progress = snapshot && snapshot.total > 0 ? ` ${Math.floor((snapshot.read * 100) / snapshot.total)} %` : ''
  return `${phase}${progress}${seeded ? ' (seeded)' : ''}`
}

function toneOf({ phase, published, lastError }: MirrorDocument): Tone {
  if (phase === 'Held' || !published) return 'bad'
  return phase === 'Following' && lastError === null ? 'good' : 'warn'
}
