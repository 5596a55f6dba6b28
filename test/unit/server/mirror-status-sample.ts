import type { MirrorStatus } from '../../../src/mirror/mirror-status.ts'

/** A mirror that follows etcd without trouble, but for what `differing` says. */
export function mirrorStatus(differing: Partial<MirrorStatus> = {}): MirrorStatus {
  return {
    name: 'app',
    prefix: '/config/app/',
    target: 'files /mirror/app',
    phase: 'Following',
    published: true,
    publishedRevision: 17,
    appliedRevision: 18,
    seeded: false,
    epoch: 0,
    observedRevision: 20,
    keys: 3,
    keyErrors: { count: 0, examples: [] },
    objects: undefined,
    lastPublishedMs: Date.UTC(2026, 0, 2, 3, 3, 59),
    snapshot: undefined,
    sourceConnected: true,
    serverVersion: '3.6.5',
    lastKnownEqualMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    lastVerifiedMs: Date.UTC(2026, 0, 2, 3, 4, 0),
    stalenessMs: 1500,
    maxStalenessMs: 0,
    lastError: undefined,
    sourceError: undefined,
    runningMs: 60_000,
    ...differing,
  }
}

export function failure(reason: string, message = 'Cannot reach etcd: refused') {
  return {
    reason,
    message,
    hint: undefined,
    atMs: Date.UTC(2026, 0, 2, 3, 4, 6),
    sinceMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  }
}
