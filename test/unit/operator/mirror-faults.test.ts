import { expect, test } from 'vitest'
import { etcdMirrorSpecSchema } from '../../../src/config/mirror-resource.ts'
import { mirrorFault } from '../../../src/operator/mirror-faults.ts'

function faultOf(spec: object): string | undefined {
  const whole = { connectionRef: { name: 'main' }, prefix: '/a/', target: { etcdKeys: {} }, ...spec }
  return mirrorFault(etcdMirrorSpecSchema.parse(whole))
}

const objects = (fields: object) => ({ target: { objects: { template: 'x', ...fields } } })
const globs = (length: number) => Array.from({ length: 4 }, () => 'a'.repeat(length / 4))

test.each<[string, object, string | undefined]>([
  ['an ordinary one', {}, undefined],
  ['globs that are long enough for anybody', { keys: { include: globs(2048), exclude: globs(2048) } }, undefined],
  ['globs that would keep all others waiting', { keys: { include: globs(2048), exclude: globs(2052) } }, 'spec.keys: '],
  ['a template', objects({ template: '{{ key }}' }), undefined],
  ['a template that is none', objects({ template: '\n{{ key' }), 'spec.target.objects.template: line 2: '],
  ['a template for groups', objects({ per: 'Group' }), undefined],
])('mirrorFault of %s', (_what, spec, fault) => {
  if (fault === undefined) expect(faultOf(spec)).toBeUndefined()
  else expect(faultOf(spec)).toContain(fault)
})
