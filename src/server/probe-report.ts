import { escapeControl } from '../observe/escape-control.ts'
import type { HealthKind, HealthRegistry } from '../observe/health-registry.ts'

export interface ProbeReport {
  readonly ok: boolean
  /** Plain text in the format of the Kubernetes API server's own probes. */
  readonly body: string
}

/**
 * Runs the checks of one kind. `ok` alone unless `verbose`; a failing probe always lists every check. No check at all
 * fails a probe for readiness or startup: nothing can be ready before anything was set up.
 */
export function probeReport(
  health: HealthRegistry,
  { kind, name, verbose }: { kind: HealthKind; name: string; verbose: boolean },
): ProbeReport {
  const results = health.results(kind)
  const checks = results.length > 0 || kind === 'live' ? results : [NOTHING_YET]
  const ok = checks.every((check) => check.ok)
  if (ok && !verbose) return { ok, body: 'ok' }
  const lines = checks.map((check) =>
    escapeControl(check.ok ? `[+]${check.name} ok` : `[-]${check.name} failed: ${check.message}`),
  )
  return { ok, body: `${[...lines, `${name} check ${ok ? 'passed' : 'failed'}`].join('\n')}\n` }
}

const NOTHING_YET = { name: 'setup', ok: false, message: 'no mirror is set up yet' }
