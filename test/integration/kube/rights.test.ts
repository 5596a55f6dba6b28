import { describe, expect, test } from 'vitest'
import { LEASES } from '../../../src/kube/kube-resource.ts'
import { leaseName } from '../../../src/targets/objects/target-session.ts'
import type { KubeRig } from '../../support/kube-rig.ts'
import { useKube } from '../../support/kube-servers.ts'
import { EVERY_TARGET, type TestTarget } from '../../support/kube-targets.ts'

const kube = useKube()

/** One verb on one resource. */
interface Right {
  readonly verb: string
  readonly resource: string
}

const rightsOf = ({ rules }: TestTarget): readonly Right[] =>
  rules.flatMap(({ resources, verbs }) => verbs.map((verb) => ({ verb, resource: resources[0] ?? '' })))

const rulesWithout = ({ rules }: TestTarget, { verb, resource }: Right) =>
  rules
    .map((rule) =>
      rule.resources[0] === resource ? { ...rule, verbs: rule.verbs.filter((each) => each !== verb) } : rule,
    )
    .filter(({ verbs }) => verbs.length > 0)

/** The Lease is there, held by nobody. */
async function leaveLease(rig: KubeRig, { mirror }: TestTarget): Promise<void> {
  const name = leaseName(mirror)
  const context = { signal: new AbortController().signal, fieldManager: 'somebody' }
  await rig.admin.create(rig.ref(LEASES, name), { metadata: { name }, spec: {} }, context)
}

describe.each(EVERY_TARGET)('target $kind', (target) => {
  test.concurrent.each(rightsOf(target))(
    'without $verb of $resource it says so, with it all is well',
    async (right) => {
      await using rig = await kube.rig([target], { rules: rulesWithout(target, right) })
      const isOfKind = target.isMany && right.resource === target.resource.plural
      // A first copy into an empty namespace needs neither of the two.
      const isInTheWay = right.verb === 'get' && isOfKind
      if (isInTheWay) await rig.occupy('a')
      if (right.verb === 'update') await leaveLease(rig, target)
      await rig.writer.txn({ a: '1', gone: '2' })
      const run = await rig.run()
      if (right.verb === 'delete') {
        await run.settled()
        await rig.writer.delete('gone')
      }
      const denied = `cannot ${right.verb} resource "${right.resource}"`
      const { lastError } = await run.failing('TargetNotWritable', denied)
      expect(lastError?.hint).toContain('Grant the service account what the message names')
      await rig.grant(target.rules)
      if (isInTheWay) await rig.remove('a')
      await rig.settled()
      await run.until((status) => expect(status.lastError).toBeNull())
    },
  )
})
