import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyKey } from './kubernetes-limits.ts'
import { type KeyChange, ObjectPlanRig } from './object-plan-rig.ts'

/** Everything that a template sees of a group. */
const GROUP = `
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ name }} }
data:
  group: {{ group | toJson }}
  {% for each in keys %}
  {{ each.key | base64 | toJson }}: {{ each.value | toJson }}
  {% endfor %}
`
const LISTED = `{ apiVersion: v1, kind: ConfigMap, metadata: { name: x-{{ value }} } }`

const segmentOf = (key: Buffer) => key.toString('latin1').split('/')[0] ?? ''
const key = (text: string) => Buffer.from(text)

/** Few segments, so that groups have many keys, and those that are hard to tell apart. */
const anySegment = fc.constantFrom('', 'a', 'A', 'a.b', 'a-b', 'b', '\u00ff', 'a%2Fb')
const groupedKey = fc.array(anySegment, { minLength: 1, maxLength: 3 }).map((segments) => key(segments.join('/')))
const anyChange: fc.Arbitrary<KeyChange> = fc.tuple(
  groupedKey,
  fc.option(fc.constantFrom('', '1', '2'), { nil: undefined, freq: 3 }),
)
const anyBatches = fc.array(fc.array(anyChange, { maxLength: 6 }), { maxLength: 6 })

/** What the keys are after all changes. */
function stateAfter(batches: readonly (readonly KeyChange[])[]): ReadonlyMap<string, string> {
  const state = new Map<string, string>()
  for (const [changed, value] of batches.flat()) {
    const id = changed.toString('latin1')
    if (value === undefined) state.delete(id)
    else state.set(id, value)
  }
  return state
}

const makeGrouped = () => ObjectPlanRig.make({ template: GROUP, per: 'Group', values: 'Text' })
const contents = ({ objects }: ObjectPlanRig) => new Map([...objects].map(([name, { data }]) => [name, data]))

test('two keys have one group exactly when their first segments are the same bytes', async () => {
  const rig = await makeGrouped()
  fc.assert(
    fc.property(fc.oneof(anyKey, groupedKey), fc.oneof(anyKey, groupedKey), (a, b) => {
      expect(rig.sourceOf(a) === rig.sourceOf(b)).toBe(segmentOf(a) === segmentOf(b))
    }),
    { numRuns: 2000 },
  )
})

test('the object of a group depends on its keys alone: not on their order, batches, other groups, what was before', async () => {
  await fc.assert(
    fc.asyncProperty(anyBatches, async (batches) => {
      const rig = await makeGrouped()
      for (const batch of batches) await rig.write(batch)
      const state = stateAfter(batches)
      const whole = await makeGrouped()
      const entries = [...state].map(([id, value]): KeyChange => [Buffer.from(id, 'latin1'), value])
      await whole.write(entries.reverse(), { isWhole: true })
      expect(contents(rig)).toEqual(contents(whole))
      expect(rig.objects.size).toBe(new Set([...state.keys()].map((id) => id.split('/')[0])).size)
      const bytes = [...state.values()].reduce((sum, { length }) => sum + length, 0)
      expect(rig.totals).toEqual({ keys: state.size, bytes })
      expect(rig.refused.size).toBe(0)
    }),
    { numRuns: 100 },
  )
})

test('a batch touches the objects of those groups alone in which a key got another value', async () => {
  await fc.assert(
    fc.asyncProperty(anyBatches, fc.array(anyChange, { maxLength: 6 }), async (batches, last) => {
      const rig = await makeGrouped()
      for (const batch of batches) await rig.write(batch)
      const [before, after] = [stateAfter(batches), stateAfter([...batches, last])]
      const differing = last.filter(([changed]) => {
        const id = changed.toString('latin1')
        return before.get(id) !== after.get(id)
      })
      const expected = new Set(differing.map(([changed]) => rig.sourceOf(changed)))
      expect(new Set(await rig.write(last))).toEqual(expected)
      const entries = [...after].map(([id, value]): KeyChange => [Buffer.from(id, 'latin1'), value])
      expect(await rig.write(entries, { isWhole: true })).toEqual([])
    }),
    { numRuns: 100 },
  )
})

test('a group that cannot be made keeps what it has, names the key, and stops no other', async () => {
  const template = `{ apiVersion: v1, kind: ConfigMap, metadata: { name: {{ name }} }, data: { n: {{ keys.size | toJson | toJson }} } }`
  const rig = await ObjectPlanRig.make({ template, per: 'Group', values: 'Json' })
  await rig.write([
    [key('a/x'), '1'],
    [key('b/x'), '1'],
  ])
  await rig.write([
    [key('a/y'), 'no JSON'],
    [key('b/y'), '2'],
  ])
  expect([...rig.refused.values()].map((each) => [`${each.key}`, each.reason])).toEqual([
    ['/p/a/y', 'is not JSON (line 1); its group is kept as it was'],
  ])
  expect([...contents(rig)]).toEqual([
    ['app.a', { n: '1' }],
    ['app.b', { n: '2' }],
  ])
  await rig.write([[key('a/y'), '2']])
  expect([rig.refused.size, contents(rig).get('app.a')]).toEqual([0, { n: '2' }])
})

test('filters see the keys of the group by their names below the prefix, and no others', async () => {
  const template = `
    {% assign port = group | append: "/port" %}
    {% assign all = "" | tree %}
    { apiVersion: v1, kind: ConfigMap, metadata: { name: {{ name }} },
      data: { port: {{ port | getOr: "none" | toJson }}, all: {{ all | map: "key" | join: " " | toJson }}, newest: "{{ modRevision }}" } }`
  const rig = await ObjectPlanRig.make({ template, per: 'Group', values: 'Text' })
  await rig.write([
    [key('web/port'), '80'],
    [key('db/host'), 'h'],
  ])
  await rig.write([[key('db'), '']])
  expect(contents(rig).get('app.web')).toEqual({ port: '80', all: 'web/port', newest: '2' })
  expect(contents(rig).get('app.db')).toEqual({ port: 'none', all: 'db db/host', newest: '3' })
})

test.each(['Key', 'Group'] as const)(
  'one object has one source (per: %s): who has it keeps it while it wants it',
  async (per) => {
    const template = per === 'Key' ? LISTED : LISTED.replace('{{ value }}', '{{ keys[0].value }}')
    const rig = await ObjectPlanRig.make({ template, per, values: 'Text' })
    const owners = () =>
      Object.fromEntries(
        [...rig.objects].map(([name, { metadata }]) => [name, metadata.annotations?.['etcdmirror.dev/source']]),
      )
    await rig.write([[key('b'), '1']])
    await rig.write([
      [key('a'), '1'],
      [key('c'), '3'],
    ])
    expect(owners()).toEqual({ 'x-1': 'app.b', 'x-3': 'app.c' })
    expect([...rig.refused.values()].map(({ reason }) => reason)).toEqual([
      `its object ConfigMap x-1 is that of another ${per.toLowerCase()}`,
    ])
    // Names that change hands are written over: nothing is deleted that somebody wants.
    await rig.write([
      [key('b'), '3'],
      [key('c'), '1'],
    ])
    expect(owners()).toEqual({ 'x-1': 'app.c', 'x-3': 'app.b' })
    expect([...rig.refused.keys()]).toEqual(['app.a'])
    // Who is refused keeps what it has, so that c cannot have it.
    await rig.write([
      [key('a'), '4'],
      [key('b'), '4'],
      [key('c'), '3'],
    ])
    expect(owners()).toEqual({ 'x-1': 'app.c', 'x-3': 'app.b', 'x-4': 'app.a' })
    expect([...rig.refused.keys()].sort()).toEqual(['app.b', 'app.c'])
    // They get it when it is let go, without a change of their own.
    await rig.write([[key('a'), '5']])
    expect(owners()).toEqual({ 'x-3': 'app.c', 'x-4': 'app.b', 'x-5': 'app.a' })
    expect(rig.refused.size).toBe(0)
  },
)
