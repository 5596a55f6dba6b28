import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { dataObjectRules, manyObjectsRules, type RbacRule } from '../../../src/targets/objects/rbac-rules.ts'
import { ObjectPlanRig } from '../targets/objects/object-plan-rig.ts'
import { Page } from './markdown.ts'

const blocks = [...Page.read('docs/kubernetes-targets.md').text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
  ([, text = '']) => text,
)
const sorted = (rules: readonly RbacRule[]) =>
  rules.map((rule) => JSON.stringify(rule, Object.keys(rule).sort())).sort()

test('docs/kubernetes-targets.md has the roles that the tests run under', () => {
  const role = parse(blocks.find((block) => block.includes('kind: Role')) ?? '')
  expect(sorted(role.rules)).toEqual(sorted(dataObjectRules('app', CONFIG_MAPS, 'app')))
  const more: RbacRule[] = parse(blocks.find((block) => block.includes('[etcdkeys]')) ?? '')
  const leases = role.rules.slice(0, 2)
  expect(sorted([...leases, ...more])).toEqual(sorted(manyObjectsRules('app', [ETCD_KEYS])))
})

test('docs/kubernetes-targets.md has a template that makes a ConfigMap of every directory', async () => {
  const { target } = parse(blocks.find((block) => block.includes('per: Group')) ?? '')
  const rig = await ObjectPlanRig.make({ values: 'Text', ...target.objects })
  await rig.write([
    [Buffer.from('web/port'), '80'],
    [Buffer.from('web/tls/cert'), 'a: "b"\nc'],
    [Buffer.from('db/port'), '5432'],
  ])
  const data = Object.fromEntries([...rig.objects].map(([name, object]) => [name, object.data]))
  expect(data).toEqual({ 'app.web': { port: '80', 'tls.cert': 'a: "b"\nc' }, 'app.db': { port: '5432' } })
})
