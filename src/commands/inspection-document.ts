import type { CopyInspection } from '../assemble/inspect-copy.ts'
import { targetPlace, targetRoot } from '../config/target-options.ts'

/** One mirror in the output of `diff --json` and `verify --json`: stable names, no values, null = not known. */
export function inspectionDocument(inspection: CopyInspection) {
  const { mirror, copy, differences, unjudged, keyErrors, totals, guard, isSettled } = inspection
  return {
    name: mirror.name,
    target: targetPlace(mirror.target),
    root: targetRoot(mirror.target) ?? null,
    publishedRevision: copy?.revision ?? null,
    comparedWith: inspection.with,
    keys: totals.keys,
    bytes: totals.bytes,
    differences: differences.map(({ path, kind, before, after, modRevision }) => ({
      path,
      kind,
      before: before ?? null,
      after: after ?? null,
      modRevision: modRevision ?? null,
    })),
    unjudged,
    keyErrors: keyErrors.count,
    held: guard.held ? { reason: guard.held.code, message: guard.held.message, hint: guard.held.hint ?? null } : null,
    settled: isSettled,
  }
}
