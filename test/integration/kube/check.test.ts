import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { CONFIG_MAPS, SECRETS } from '../../../src/kube/kube-resource.ts'
import { dataObjectRules, manyObjectsRules, type RbacRule } from '../../../src/targets/objects/rbac-rules.ts'
import type { KubeRig, KubeTarget } from '../../support/kube-rig.ts'
import { useKube } from '../../support/kube-servers.ts'

const kube = useKube()

const make = (target: KubeTarget, rules: readonly RbacRule[]) => kube.rig([], { target, rules })
const OBJECTS = { objects: { template: 'x' } }
const ALLOWED = ['--allow-kinds', 'v1/ConfigMap,v1/Secret']
async function check(rig: KubeRig, args: readonly string[] = [], target?: KubeTarget) {
  const { code, output } = await rig.command('check', args, target)
  return { code, lines: output.split('\n') }
}
/** The rules that it prints. */
const rulesOf = (lines: readonly string[]): readonly RbacRule[] =>
  lines.filter((line) => line.startsWith('         - {')).flatMap((line) => parse(line))

test('check says that the least role suffices, and writes nothing', async () => {
  await using rig = await make({ configMap: { name: 'app' } }, dataObjectRules('app', CONFIG_MAPS, 'app'))
  const { code, lines } = await check(rig)
  expect(lines).toContain(`ok       mirror app: may write its target in the namespace ${rig.namespace}`)
  expect(code, lines.join('\n')).toBe(0)
  expect(await rig.get(CONFIG_MAPS, 'app')).toBeUndefined()
  expect(await rig.kubectl(['get', 'leases', '-o', 'name'])).toBe('')
})

test('check prints the rules that a narrow role lacks, verb by verb; with them it is content', async () => {
  const least = manyObjectsRules('app', [CONFIG_MAPS, SECRETS])
  const narrow: readonly RbacRule[] = [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: ['etcd-mirror-app'], verbs: ['get'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['other'], verbs: ['get', 'patch'] },
    { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'create'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create', 'patch'] },
  ]
  await using rig = await make(OBJECTS, narrow)
  const { code, lines } = await check(rig, ALLOWED)
  expect(code, lines.join('\n')).toBe(5)
  const missing = rulesOf(lines)
  expect(missing).toEqual([
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: ['etcd-mirror-app'],
      verbs: ['update'],
    },
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['etcd-mirror-app'], verbs: ['patch'] },
    { apiGroups: [''], resources: ['configmaps'], verbs: ['patch', 'delete'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['delete'] },
  ])
  await rig.grant([])
  expect(rulesOf((await check(rig, ALLOWED)).lines)).toEqual(least)
  await rig.grant([...narrow, ...missing])
  expect((await check(rig, ALLOWED)).code).toBe(0)
})

test('check without kinds, with one that there is not, and without an API server', async () => {
  await using rig = await make(OBJECTS, [])
  const withoutKinds = await check(rig)
  expect(withoutKinds.lines).toContain('error    mirror app: the target objects may write nothing')
  expect(withoutKinds.code).toBe(2)
  const unknown = await check(rig, ['--allow-kinds', 'example.com/v1/Thing'])
  expect([unknown.code, unknown.lines.join('\n')]).toEqual([5, expect.stringContaining('Cannot look Thing up')])
  await kube.api.kill()
  const down = await check(rig, [], { secret: { name: 'app' } })
  expect([down.code, down.lines.join('\n')]).toEqual([5, expect.stringContaining('error    mirror app: ')])
})
