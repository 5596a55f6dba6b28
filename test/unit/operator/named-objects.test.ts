import { expect, test } from 'vitest'
import type { KubeClient } from '../../../src/kube/kube-client.ts'
import { KubeError } from '../../../src/kube/kube-error.ts'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { NamedObjects } from '../../../src/operator/named-objects.ts'
import { abortable } from '../../../src/util/abortable.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

const ref = { namespace: 'team', name: 'templates' }
const unavailable = (message: string) => new KubeError('KubeUnavailable', message, { status: 500 })

const denied = new KubeError('KubeDenied', 'no right', { status: 403 })
const unserved = new KubeError('KubeNotFound', 'no such kind', { status: 404 })

/** Each list is answered with the next of these, and so is what the watch after it ends with. */
function follow(answers: readonly (object | Error)[]) {
  const clock = new ManualClock()
  const warnings: string[] = []
  const learnt: unknown[] = []
  let asked = 0
  const answer = () => {
    const next = answers[asked]
    asked += 1
    if (next instanceof Error) throw next
    return next
  }
  const client = {
    async *list() {
      yield { items: [answer()].filter((item) => item !== undefined), resourceVersion: '1' }
    },
    async *watch() {
      if (answer() === undefined) await new Promise(() => undefined)
    },
  }
  const objects = new NamedObjects({
    client: client as unknown as KubeClient,
    resource: CONFIG_MAPS,
    clock,
    logger: { ...silentLogger, warn: ({ err }) => warnings.push((err as Error).message) },
    onChange: () => learnt.push(objects.get(ref)),
  })
  objects.use('team/app', [ref])
  const untilAsked = async (count: number) => {
    await eventually(async () => {
      clock.advance(60_000)
      expect(asked).toBeGreaterThanOrEqual(count)
    })
    await new Promise(setImmediate)
  }
  return { clock, objects, warnings, learnt, untilAsked }
}

test('why an object cannot be read is known, and told once for each reason', async () => {
  const answers = [
    unavailable('no answer'),
    unavailable('no answer'),
    unavailable('another'),
    { metadata: { name: 'x' } },
  ]
  const { warnings, learnt, untilAsked } = follow(answers)
  await untilAsked(5)
  expect(learnt).toEqual([
    { kind: 'unreadable', message: 'no answer' },
    { kind: 'unreadable', message: 'another' },
    { kind: 'present', data: new Map() },
  ])
  expect(warnings).toEqual(['no answer', 'another'])
})

test('of what was never read a failure tells nothing for a while', async () => {
  const { clock, objects, learnt } = follow(Array.from({ length: 20 }, () => unavailable('no answer')))
  await new Promise(setImmediate)
  clock.advance(14_999)
  await new Promise(setImmediate)
  expect(objects.get(ref)).toBeUndefined()
  clock.advance(15_000)
  await new Promise(setImmediate)
  expect(learnt).toEqual([{ kind: 'unreadable', message: 'no answer' }])
  await objects.close()
})

test.for([
  ['forbidden', denied],
  ['unreadable', unserved],
] as const)('that it is %s by the API itself counts at once', async ([kind, error]) => {
  const { objects } = follow([error])
  await new Promise(setImmediate)
  expect(objects.get(ref)).toEqual({ kind, message: error.message })
  await objects.close()
})

test('what was read once counts on while the API is away', async () => {
  const { objects, untilAsked } = follow([{ metadata: { name: 'x' }, data: { a: '1' } }, unavailable('no answer')])
  await untilAsked(3)
  expect(objects.get(ref)).toEqual({ kind: 'present', data: new Map([['a', '1']]) })
})

test('a data key is one that was written: not what every object has', async () => {
  const { objects, untilAsked } = follow([{ metadata: { name: 'x' }, data: { a: '1' } }])
  await untilAsked(2)
  const found = objects.get(ref)
  if (found?.kind !== 'present') throw new Error(`it is ${found?.kind}`)
  expect(['constructor', '__proto__', 'toString'].map((name) => found.data.get(name))).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('of one namespace some objects are watched; the others are looked at, until there is room', async () => {
  const clock = new ManualClock()
  const watched = new Set<string>()
  const lists = new Map<string, number>()
  const client = {
    async *list({ fieldSelector }: { fieldSelector: string }) {
      lists.set(fieldSelector, (lists.get(fieldSelector) ?? 0) + 1)
      yield { items: [], resourceVersion: '1' }
    },
    // It only ends.
    async *watch(
      { namespace, fieldSelector }: { namespace: string; fieldSelector: string },
      _: object,
      signal: AbortSignal,
    ) {
      watched.add(`${namespace} ${fieldSelector}`)
      await abortable(new Promise(() => undefined), signal).finally(() =>
        watched.delete(`${namespace} ${fieldSelector}`),
      )
    },
  }
  const objects = new NamedObjects({
    client: client as unknown as KubeClient,
    resource: CONFIG_MAPS,
    clock,
    logger: silentLogger,
    onChange: () => undefined,
  })
  const names = Array.from({ length: 70 }, (_, index) => `object-${index}`)
  for (const name of names) objects.use(name, [{ namespace: 'team', name }])
  objects.use('other', [{ namespace: 'other', name: 'one' }])
  const last = { namespace: 'team', name: 'object-69' }
  await eventually(async () => expect(objects.get(last)).toEqual({ kind: 'absent' }))
  await eventually(async () => expect(watched.size).toBe(65))
  expect(watched).not.toContain('team metadata.name=object-69')
  await eventually(async () => {
    clock.advance(80_000)
    expect(lists.get('metadata.name=object-69')).toBeGreaterThan(1)
  })
  expect(lists.get('metadata.name=object-0')).toBe(1)
  for (const name of names.slice(0, 6)) objects.use(name, [])
  await eventually(async () => {
    clock.advance(80_000)
    expect(watched).toContain('team metadata.name=object-69')
    expect(watched.size).toBe(65)
  })
  await objects.close()
  expect(watched.size).toBe(0)
})
