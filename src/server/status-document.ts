import type { CompactionStatus } from '../compactor/compaction-status.ts'
import type { MirrorFailure, MirrorStatus } from '../mirror/mirror-status.ts'
import { namesNoKey } from './names-no-key.ts'
import type { ConfigFault, ConfigStatus, StatusReport } from './status-report.ts'

/** The body of `/status`: stable names, revisions as numbers, times in ISO 8601, durations in seconds, null = not known. */
export interface StatusDocument {
  readonly version: string
  readonly startedAt: string
  readonly config: ConfigDocument
  /** null = auto-compact is off. */
  readonly compaction: CompactionDocument | null
  readonly mirrors: readonly MirrorDocument[]
}

export interface ConfigDocument {
  readonly loadedAt: string
  readonly files: readonly string[]
  readonly usesAcceptedCopy: boolean
  readonly lastReload: {
    readonly at: string
    readonly result: 'success' | 'error'
    /** `file:line:column: path: message`; only the place where key names are not shown. */
    readonly problems: readonly string[]
  } | null
}

export interface CompactionDocument {
  readonly phase: string
  readonly periodSeconds: number
  /** What this process compacted etcd to last; 0 = it has not. */
  readonly compactedRevision: number
  readonly lastCompactionAt: string | null
  readonly lastError: FailureDocument | null
}

export interface MirrorDocument {
  readonly name: string
  readonly prefix: string
  readonly target: string
  readonly phase: string
  readonly published: boolean
  /** What is published is the fallback: etcd was never reached. */
  readonly seeded: boolean
  readonly publishedRevision: number
  /** The copy is complete up to here; above `publishedRevision` when nothing changed since. */
  readonly appliedRevision: number
  readonly observedRevision: number
  /** How many revisions of the store the copy is behind. */
  readonly lag: number
  readonly epoch: number
  readonly keys: number
  /** `examples` is absent where key names are not shown. */
  readonly keyErrors: { readonly count: number; readonly examples?: readonly { key: string; reason: string }[] }
  /** When consumers last got to see something new; null = not since the start of the process. */
  readonly lastPublishedAt: string | null
  /** Keys of the snapshot that is being taken, of those that etcd holds; null = none is. */
  readonly snapshot: { readonly read: number; readonly total: number } | null
  readonly sourceConnected: boolean
  readonly serverVersion: string | null
  readonly lastKnownEqualAt: string | null
  /** When all of the copy was last found to be what was published. */
  readonly lastVerifiedAt: string | null
  readonly stalenessSeconds: number | null
  /** 0 = readiness does not look at staleness. */
  readonly maxStalenessSeconds: number
  readonly lastError: FailureDocument | null
}

export interface FailureDocument {
  readonly reason: string
  readonly message: string
  readonly hint: string | null
  readonly at: string
}

/**
 * The report as a document for anybody who can reach the port. A key's name may tell as much as its value, so names are
 * shown to loopback alone; off loopback the text of an error that may name a key is withheld too.
 */
export function statusDocument(report: StatusReport, { showKeyNames }: { showKeyNames: boolean }): StatusDocument {
  return {
    version: report.version,
    startedAt: report.startedAt.toISOString(),
    config: configDocument(report.config, showKeyNames),
    compaction: report.compaction === undefined ? null : compactionDocument(report.compaction),
    mirrors: report.mirrors.map((mirror) => mirrorDocument(mirror, showKeyNames)),
  }
}

function configDocument(config: ConfigStatus, showMessages: boolean): ConfigDocument {
  const { loadedAt, files, usesAcceptedCopy, lastReload } = config
  return {
    loadedAt: loadedAt.toISOString(),
    files,
    usesAcceptedCopy,
    lastReload: lastReload
      ? {
          at: lastReload.at.toISOString(),
          result: lastReload.result,
          problems: lastReload.problems.map((problem) => printedFault(problem, showMessages)),
        }
      : null,
  }
}

function printedFault({ file, line, column, path, message }: ConfigFault, showMessages: boolean): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  return [place, path, showMessages ? message : ''].filter((part) => part !== '').join(': ')
}

/** Its errors name endpoints, never a key. */
function compactionDocument(compaction: CompactionStatus): CompactionDocument {
  const { phase, periodMs, compactedRevision, lastCompactionMs, lastError } = compaction
  return {
    phase,
    periodSeconds: periodMs / 1000,
    compactedRevision,
    lastCompactionAt: lastCompactionMs === undefined ? null : new Date(lastCompactionMs).toISOString(),
    lastError: lastError
      ? {
          reason: lastError.reason,
          message: lastError.message,
          hint: lastError.hint ?? null,
          at: new Date(lastError.atMs).toISOString(),
        }
      : null,
  }
}

function mirrorDocument(mirror: MirrorStatus, showKeyNames: boolean): MirrorDocument {
  const { count, examples } = mirror.keyErrors
  return {
    name: mirror.name,
    prefix: mirror.prefix,
    target: mirror.target,
    phase: mirror.phase,
    published: mirror.published,
    seeded: mirror.seeded,
    publishedRevision: mirror.publishedRevision,
    appliedRevision: mirror.appliedRevision,
    observedRevision: mirror.observedRevision,
    lag: Math.max(0, mirror.observedRevision - mirror.appliedRevision),
    epoch: mirror.epoch,
    keys: mirror.keys,
    keyErrors: showKeyNames ? { count, examples } : { count },
    lastPublishedAt: mirror.lastPublishedMs === undefined ? null : new Date(mirror.lastPublishedMs).toISOString(),
    snapshot: mirror.snapshot ?? null,
    sourceConnected: mirror.sourceConnected,
    serverVersion: mirror.serverVersion ?? null,
    lastKnownEqualAt: mirror.lastKnownEqualMs === undefined ? null : new Date(mirror.lastKnownEqualMs).toISOString(),
    lastVerifiedAt: mirror.lastVerifiedMs === undefined ? null : new Date(mirror.lastVerifiedMs).toISOString(),
    stalenessSeconds: mirror.stalenessMs === undefined ? null : mirror.stalenessMs / 1000,
    maxStalenessSeconds: mirror.maxStalenessMs / 1000,
    lastError: mirror.lastError === undefined ? null : failureDocument(mirror.lastError, showKeyNames),
  }
}

function failureDocument(failure: MirrorFailure, showKeyNames: boolean): FailureDocument {
  const { reason, message, hint, atMs } = failure
  const at = new Date(atMs).toISOString()
  if (showKeyNames || namesNoKey(failure)) return { reason, message, hint: hint ?? null, at }
  return { reason, message: 'withheld because it may name keys', hint: 'See the log, or bind HTTP to loopback.', at }
}
