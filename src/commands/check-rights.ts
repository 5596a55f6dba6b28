import { KubeAccess } from '../assemble/kube-access.ts'
import { missingRights } from '../assemble/missing-rights.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import type { RbacRule } from '../targets/objects/rbac-rules.ts'
import { systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { noMetrics } from '../util/metrics.ts'
import type { CommandContext } from './command-context.ts'
import { EXIT_CODES, exitCodeOf } from './exit-code.ts'
import type { CheckFlags } from './run-flags.ts'

/**
 * Asks the Kubernetes API for every right that the targets of the mirrors need; says the rules of a Role that are missing.
 * Returns the exit code.
 */
export async function checkRights(
  mirrors: readonly MirrorConfig[],
  { allowKinds }: Pick<CheckFlags, 'allowKinds'>,
  { env, version, signal }: Pick<CommandContext, 'env' | 'version' | 'signal'>,
  say: (line: string) => void,
): Promise<number> {
  const kube = new KubeAccess({ env, version, clock: systemClock, metrics: noMetrics })
  let code: number = EXIT_CODES.done
  try {
    for (const mirror of mirrors) {
      const result = await checkMirror(mirror, { connect: () => kube.connect(), allowKinds, signal }, say)
      if (result !== EXIT_CODES.done) code = result
    }
    return code
  } finally {
    await kube.close()
  }
}

async function checkMirror(
  mirror: MirrorConfig,
  options: Parameters<typeof missingRights>[1],
  say: (line: string) => void,
): Promise<number> {
  const { name, target } = mirror
  if ('objects' in target && options.allowKinds.length === 0) {
    say(`error    mirror ${name}: the target objects may write nothing`)
    say('         Name the kinds with --allow-kinds, as for run.')
    return EXIT_CODES.config
  }
  try {
    const missing = await missingRights(mirror, options)
    if (missing === undefined) return EXIT_CODES.done
    const { namespace, rules } = missing
    if (rules.length === 0) {
      say(`ok       mirror ${name}: may write its target in the namespace ${namespace}`)
      return EXIT_CODES.done
    }
    say(`error    mirror ${name}: rights are missing; a Role of the namespace ${namespace} needs these rules:`)
    for (const rule of rules) say(`         - ${ruleText(rule)}`)
    return EXIT_CODES.target
  } catch (error) {
    options.signal.throwIfAborted()
    if (!(error instanceof EtcdMirrorError)) throw error
    say(`error    mirror ${name}: ${error.message}`)
    if (error.hint !== undefined) say(`         ${error.hint}`)
    return exitCodeOf(error)
  }
}

/** As YAML, to be put into a Role. */
function ruleText({ apiGroups, resources, resourceNames, verbs }: RbacRule): string {
  const fields = { apiGroups, resources, ...(resourceNames && { resourceNames }), verbs }
  const texts = Object.entries(fields).map(([field, values]) => `${field}: [${values.map(quoted).join(', ')}]`)
  return `{ ${texts.join(', ')} }`
}

function quoted(value: string): string {
  return /^[a-z][a-z.-]*$/.test(value) ? value : `'${value}'`
}
