import { expect, test } from 'vitest'
import type { EtcdMirrorStatus } from '../../../src/config/resource-status.ts'
import type { KubeClient, ObjectRef } from '../../../src/kube/kube-client.ts'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import type { Findings } from '../../../src/operator/conditions.ts'
import { EventRecorder } from '../../../src/operator/event-recorder.ts'
import { mirrorFindings } from '../../../src/operator/mirror-findings.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { StatusWriter } from '../../../src/operator/status-writer.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const { signal } = new AbortController()
const rendered = mirrorFindings({ kind: 'rendered', message: 'one' })
const refused = mirrorFindings({ kind: 'refused', reason: 'NotAllowed', message: 'no' })

/** A writer for one resource, which is what was written last. */
class Bench {
  readonly clock = new ManualClock()
  readonly written: EtcdMirrorStatus[] = []
  fault: Error | undefined
  object: KubeObject = { metadata: { namespace: 'shop', name: 'app', generation: 1 } }
  readonly #writer: StatusWriter<EtcdMirrorStatus>

  constructor() {
    const { clock } = this
    const client = {
      create: async () => ({}),
      update: async (_: ObjectRef, object: KubeObject) => {
        if (this.fault !== undefined) throw this.fault
        this.written.push(object.status as EtcdMirrorStatus)
        return object
      },
    } as unknown as KubeClient
    this.#writer = new StatusWriter({
      client,
      events: new EventRecorder({ client, clock, logger: silentLogger }),
      clock,
      onWritten: (object) => {
        this.object = object
      },
    })
  }

  /** Resolves with after how long something is left to write. */
  async write(publishedRevision: number, findings: Findings = rendered, resync?: string): Promise<number | undefined> {
    const urgent = resync === undefined ? {} : { lastHandledResync: resync }
    const wanted = { resource: ETCD_MIRRORS, object: this.object, findings, facts: { publishedRevision }, urgent }
    const isDue = this.#writer.isDue(wanted)
    const count = this.written.length
    const rest = await this.#writer.write({ ...wanted, signal })
    expect(isDue).toBe(this.written.length > count)
    return rest
  }

  get revisions(): readonly unknown[] {
    return this.written.map(({ publishedRevision }) => publishedRevision)
  }
}

test('what changes all the time is written every 30 seconds at most', async () => {
  const bench = new Bench()
  expect(await bench.write(1)).toBeUndefined()
  expect(await bench.write(2)).toBe(30_000)
  bench.clock.advance(29_999)
  expect(await bench.write(3)).toBe(1)
  bench.clock.advance(1)
  expect(await bench.write(4)).toBeUndefined()
  expect(await bench.write(5)).toBe(30_000)
  expect(bench.revisions).toEqual([1, 4])
})

test('texts wait like facts', async () => {
  const bench = new Bench()
  const other = mirrorFindings({ kind: 'rendered', message: 'two' })
  await bench.write(1)
  expect(await bench.write(1, other)).toBe(30_000)
  bench.clock.advance(30_000)
  await bench.write(1, other)
  expect(bench.written.map(({ conditions }) => conditions?.[0]?.message)).toEqual(['one', 'two'])
})

test('what is told is not written again, however long ago that was', async () => {
  const bench = new Bench()
  await bench.write(1)
  bench.clock.advance(3_600_000)
  expect(await bench.write(1)).toBeUndefined()
  expect(bench.revisions).toEqual([1])
})

test('another condition, generation or handled resync is written at once, with what has waited', async () => {
  const bench = new Bench()
  await bench.write(1)
  await bench.write(2, refused)
  bench.object = { ...bench.object, metadata: { ...bench.object.metadata, generation: 2 } }
  await bench.write(3, refused)
  await bench.write(4, refused, 'now')
  expect(await bench.write(5, refused, 'now')).toBe(30_000)
  expect(bench.written).toMatchObject([
    { publishedRevision: 1, observedGeneration: 1 },
    { publishedRevision: 2, observedGeneration: 1 },
    { publishedRevision: 3, observedGeneration: 2 },
    { publishedRevision: 4, lastHandledResync: 'now' },
  ])
})

test('what could not be written is due still', async () => {
  const bench = new Bench()
  bench.fault = new Error('away')
  await expect(bench.write(1)).rejects.toThrow('away')
  bench.fault = undefined
  await bench.write(2)
  expect(bench.revisions).toEqual([2])
})
