import type { AuthErrorCode } from '../etcd/auth-error.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { Finding, Findings } from './conditions.ts'
import { withHint } from './with-hint.ts'

/** What the operator knows of one EtcdMirror. */
export type MirrorFacts =
  /** It cannot run until somebody changes something; a copy that stands stays as it is. */
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string }
  /** Its files are made by sidecars, which report for themselves. */
  | { readonly kind: 'rendered'; readonly message: string }
  | { readonly kind: 'running'; readonly status: MirrorStatus }

/** Failures of the target that do not end by trying again. */
const STALLING: ReadonlySet<string> = new Set(['TargetTooLarge', 'TargetForeign', 'TargetConflict'])
/** etcd refuses us, or we refuse it. */
const DENIALS: ReadonlySet<string> = new Set<AuthErrorCode>(['PermissionDenied', 'AuthenticationFailed', 'TlsRefused'])
const MAX_TOLD_KEYS = 3

/** The truth table of an EtcdMirror's conditions; docs/operator.md shows it. */
export function mirrorFindings(facts: MirrorFacts): Findings {
  if (facts.kind === 'refused') return refused(facts)
  if (facts.kind === 'rendered') return rendered(facts.message)
  const { status } = facts
  return {
    Ready: readiness(status),
    SourceConnected: source(status),
    Degraded: degradation(status),
    Stalled: stall(status),
  }
}

function refused({ reason, message }: { readonly reason: string; readonly message: string }): Findings {
  return {
    Ready: { status: 'False', reason, message },
    SourceConnected: { status: 'Unknown', reason: 'NotRunning', message: 'The mirror does not run.' },
    Degraded: { status: 'False', reason: 'NotRunning', message: 'The mirror does not run.' },
    Stalled: { status: 'True', reason, message },
  }
}

function rendered(message: string): Findings {
  return {
    Ready: { status: 'True', reason: 'Rendered', message },
    SourceConnected: { status: 'Unknown', reason: 'Rendered', message: 'Sidecars report for themselves.' },
    Degraded: { status: 'False', reason: 'AsExpected', message: '' },
    Stalled: { status: 'False', reason: 'AsExpected', message: '' },
  }
}

function readiness(status: MirrorStatus): Finding {
  const { published, publishedRevision, stalenessMs = Number.POSITIVE_INFINITY, maxStalenessMs, lastError } = status
  if (!published) {
    if (lastError === undefined) return { status: 'False', reason: 'Syncing', message: 'Nothing is published yet.' }
    return { status: 'False', reason: reasonOf(lastError.reason), message: withHint(lastError) }
  }
  if (maxStalenessMs > 0 && stalenessMs > maxStalenessMs) {
    const message = 'The copy is older than maxStaleness: it was not known to equal etcd for too long.'
    return { status: 'False', reason: 'Stale', message }
  }
  return { status: 'True', reason: 'Published', message: `Revision ${publishedRevision} is published.` }
}

function source({ sourceConnected, sourceError, phase }: MirrorStatus): Finding {
  if (sourceConnected) return { status: 'True', reason: 'Connected', message: 'The watch on etcd is open.' }
  if (sourceError !== undefined) return { status: 'False', reason: sourceError.reason, message: withHint(sourceError) }
  if (phase === 'Held') return { status: 'True', reason: 'Connected', message: 'etcd answers.' }
  return { status: 'False', reason: 'Connecting', message: 'The watch on etcd is not open yet.' }
}

function degradation(status: MirrorStatus): Finding {
  const { phase, lastError, sourceConnected, sourceError, keyErrors } = status
  const isTold =
    lastError !== undefined && (phase === 'Held' || isOfTarget(lastError.reason) || isGuard(lastError.reason))
  if (isTold) return { status: 'True', reason: reasonOf(lastError.reason), message: withHint(lastError) }
  // An open watch outlives rights: it shows nothing of it.
  if (sourceConnected && sourceError !== undefined && DENIALS.has(sourceError.reason)) {
    return { status: 'True', reason: 'AccessDenied', message: withHint(sourceError) }
  }
  if (keyErrors.count > 0) {
    const told = keyErrors.examples.slice(0, MAX_TOLD_KEYS).map(({ key, reason }) => `${key}: ${reason}`)
    const message = `Keys that the target cannot hold: ${keyErrors.count}. ${told.join('; ')}`
    return { status: 'True', reason: 'KeyErrors', message }
  }
  return { status: 'False', reason: 'AsExpected', message: '' }
}

function stall({ lastError }: MirrorStatus): Finding {
  if (lastError === undefined || !STALLING.has(lastError.reason)) {
    return { status: 'False', reason: 'AsExpected', message: '' }
  }
  return { status: 'True', reason: reasonOf(lastError.reason), message: withHint(lastError) }
}

const GUARDS: ReadonlySet<string> = new Set(['LimitExceeded', 'EmptyRefused', 'DeletesRefused', 'RenderFailed'])

function isGuard(code: string): boolean {
  return GUARDS.has(code)
}

function isOfTarget(code: string): boolean {
  return code.startsWith('Target') || code.startsWith('Kube')
}

function reasonOf(code: string): string {
  return code.replace(/^Target/, '')
}
