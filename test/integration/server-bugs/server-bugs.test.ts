import { describe, expect, test } from 'vitest'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { differences } from '../../support/oracle.ts'
import { type ScriptedEtcd, startScriptedEtcd } from '../../support/scripted-etcd.ts'
import { entriesOf } from '../../support/tree-reader.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'

/** Loses events, by its version. */
const OLD = '3.4.23'
const NEW = '3.6.16'

/** A run of the built command against an etcd that behaves like one with a known bug. */
async function start(version: string, mirror: Readonly<Record<string, unknown>> = {}) {
  const etcd = await startScriptedEtcd(version)
  etcd.commit({ '/other/a': 'x' })
  etcd.commit({ '/app/a': 'one', '/app/b': 'one' })
  etcd.commit({ '/app/c': 'one' })
  const rig = await MirrorRig.make(etcd, { mirror })
  rig.run()
  await eventually(async () => expect((await rig.status()).sourceConnected).toBe(true))
  await expectTruth(rig, etcd)
  await eventually(() => expect(etcd.streams).toHaveLength(1))
  const watcher = new TreeWatcher(rig.root)
  return {
    etcd,
    rig,
    watcher,
    /** The copy becomes the truth, without a torn tree or a step back on the way. */
    async expectSound() {
      await expectTruth(rig, etcd)
      expect(await watcher.faults(etcd.log, rig.prefix)).toEqual([])
    },
    async [Symbol.asyncDispose]() {
      await watcher[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
      await etcd[Symbol.asyncDispose]()
    },
  }
}

/** Live streams are told nothing from now on, neither events nor progress. */
function hold(etcd: ScriptedEtcd): void {
  etcd.onEvents = () => []
  etcd.onProgress = () => undefined
}

const expectTruth = (rig: MirrorRig, etcd: ScriptedEtcd) =>
  eventually(() => expect(differences(entriesOf(rig.tree(), rig.prefix), etcd.log.state)).toEqual([]))

describe('the mirror ends equal to the truth when etcd', () => {
  test('answers a request for progress before older events (before 3.4.25, 3.5.8)', async () => {
    await using setup = await start(OLD)
    const { etcd, rig } = setup
    etcd.onEvents = () => []
    etcd.commit({ '/app/a': 'two' })
    etcd.commit({ '/other/b': 'x' })
    const [stream] = etcd.streams
    stream?.send({ revision: etcd.head, watchId: -1 })
    etcd.breakStreams()
    await setup.expectSound()
    expect(etcd.starts.at(-1)).toBeLessThan(etcd.head - 1)
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('does not answer requests for progress while it has something to catch up', async () => {
    await using setup = await start(NEW, { maxStaleness: '600ms' })
    const { etcd, rig } = setup
    etcd.onProgress = () => undefined
    const { lastKnownEqualAt } = await rig.status()
    etcd.commit({ '/other/b': 'x' })
    await eventually(() => expect(etcd.progressRequests).toBeGreaterThanOrEqual(4))
    await eventually(async () => expect((await rig.status()).appliedRevision).toBe(etcd.head))
    expect((await rig.status()).lastKnownEqualAt).not.toBe(lastKnownEqualAt)
    etcd.commit({ '/app/a': 'two' })
    await setup.expectSound()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('delivers events twice, in one answer and over a reconnect (before 3.4.24, 3.5.8)', async () => {
    await using setup = await start(NEW)
    const { etcd, rig } = setup
    etcd.onEvents = (events) => [...events, ...events]
    etcd.commit({ '/app/a': 'two', '/app/b': undefined })
    etcd.commit({ '/app/b': 'again' })
    etcd.onCreate = (_start, usual) => ({ ...usual, backlog: etcd.eventsFrom(1) })
    await expectTruth(rig, etcd)
    etcd.breakStreams()
    await eventually(() => expect(etcd.streams).toHaveLength(1))
    etcd.commit({ '/app/c': undefined })
    await setup.expectSound()
    expect(await rig.metric('etcd_mirror_events_total')).toBe(4)
    expect(await rig.metric('etcd_mirror_keys')).toBe(2)
  })

  test('forgets the delete at the revision it compacted to (before 3.4.36, 3.5.18)', async () => {
    await using setup = await start(NEW)
    const { etcd, rig } = setup
    const forget = (_start: number, usual: { createdRevision: number; backlog: readonly { revision: number }[] }) => ({
      ...usual,
      backlog: etcd.eventsFrom(etcd.head + 1),
    })
    hold(etcd)
    etcd.onCreate = forget
    const deleted = etcd.commit({ '/app/b': undefined })
    etcd.compact(deleted)
    etcd.breakStreams()
    await setup.expectSound()
    await eventually(async () => {
      expect(await rig.metric('etcd_mirror_resync_total', { reason: 'compacted' })).toBe(1)
    })
  })

  test('answers a watch of a future revision with old events, as a lagging follower (before 3.4.38, 3.5.22, 3.6.2)', async () => {
    await using setup = await start(NEW)
    const { etcd, rig } = setup
    etcd.commit({ '/app/a': 'two', '/app/d': 'new' })
    etcd.commit({ '/app/d': undefined })
    await expectTruth(rig, etcd)
    etcd.onCreate = () => ({ createdRevision: 2, backlog: etcd.eventsFrom(2) })
    etcd.breakStreams()
    await eventually(() => expect(etcd.streams).toHaveLength(1))
    etcd.commit({ '/app/c': 'two' })
    await setup.expectSound()
    expect(await rig.metric('etcd_mirror_keys')).toBe(3)
  })

  test('names its head in the created answer, and breaks before it delivers what is up to there', async () => {
    await using setup = await start(NEW)
    const { etcd, rig } = setup
    hold(etcd)
    etcd.commit({ '/app/a': 'two' })
    etcd.commit({ '/app/b': undefined })
    etcd.onCreate = (_start, usual) => ({ ...usual, backlog: [] })
    etcd.breakStreams()
    await eventually(() => expect(etcd.streams).toHaveLength(1))
    etcd.onCreate = (_start, usual) => usual
    etcd.breakStreams()
    await setup.expectSound()
    expect(etcd.starts[2]).toBe(etcd.starts[1])
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('goes back in its revisions after it got a snapshot from the leader (before 3.4.25, 3.5.8)', async () => {
    await using setup = await start(NEW)
    const { etcd, rig } = setup
    etcd.commit({ '/app/a': 'two' })
    etcd.commit({ '/app/a': 'three', '/app/b': undefined })
    await expectTruth(rig, etcd)
    const [stream] = etcd.streams
    stream?.send({ revision: 3 })
    stream?.send({ revision: 3, events: etcd.eventsFrom(3).filter(({ revision }) => revision < etcd.head) })
    stream?.send({ revision: 3, watchId: -1 })
    etcd.commit({ '/app/c': 'two' })
    await setup.expectSound()
    expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('loses an event, within verifyEvery (before 3.4.31, 3.5.13)', async () => {
    await using setup = await start(OLD, { verifyEvery: '1s' })
    const { etcd, rig } = setup
    etcd.onEvents = () => []
    etcd.commit({ '/app/a': 'lost', '/app/b': undefined })
    etcd.onEvents = (events) => events
    etcd.commit({ '/app/c': 'two' })
    await expectTruth(rig, etcd)
    await eventually(async () => expect(await rig.metric('etcd_mirror_drift_detected_total')).toBeGreaterThan(0))
    expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
  })

  test('is late with an event, without a snapshot when its version loses none', async () => {
    await using setup = await start(NEW, { maxStaleness: '300ms' })
    const { etcd, rig } = setup
    etcd.onProgress = () => undefined
    let late: Parameters<typeof etcd.onEvents>[0] = []
    etcd.onEvents = (events) => {
      late = events
      return []
    }
    etcd.commit({ '/app/a': 'late' })
    // Some three doubts: a check asks four times.
    await eventually(() => expect(etcd.progressRequests).toBeGreaterThan(14))
    const [stream] = etcd.streams
    stream?.send({ revision: etcd.head, events: late })
    await setup.expectSound()
    expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(0)
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('is reset behind a proxy without a disconnect, and has overtaken the mirror', async () => {
    await using setup = await start(NEW, { maxStaleness: '600ms' })
    const { etcd, rig } = setup
    etcd.commit({ '/app/a': 'never happened' })
    await expectTruth(rig, etcd)
    etcd.onEvents = () => []
    etcd.restore(4)
    etcd.log.record(5, [['/app/a', undefined]])
    etcd.commit({ '/app/a': 'forked' })
    for (let index = 0; index < 5; index++) etcd.commit({ '/other/c': 'x' })
    await eventually(async () => expect((await rig.status()).epoch).toBe(1))
    await expectTruth(rig, etcd)
    await eventually(async () => expect(await rig.metric('etcd_mirror_resync_total', { reason: 'reset' })).toBe(1))
  })
})

describe('a first snapshot ends equal to the truth when', () => {
  /** Twenty keys: two pages. The mirror is not started yet. */
  async function prepare() {
    const etcd = await startScriptedEtcd(NEW)
    const names = Array.from({ length: 20 }, (_, index) => `/app/${String(index).padStart(2, '0')}`)
    etcd.commit(Object.fromEntries(names.map((name) => [name, 'shared'])))
    const rig = await MirrorRig.make(etcd)
    return {
      etcd,
      rig,
      async [Symbol.asyncDispose]() {
        await rig[Symbol.asyncDispose]()
        await etcd[Symbol.asyncDispose]()
      },
    }
  }

  test('etcd compacts between the snapshot and the watch', async () => {
    await using setup = await prepare()
    const { etcd, rig } = setup
    etcd.onStart = () => {
      etcd.onStart = () => {}
      etcd.commit({ '/app/03': undefined, '/app/04': 'after' })
      etcd.compact(etcd.head)
    }
    rig.run()
    await eventually(() => expect(rig.tree().files.size).toBe(19))
    await expectTruth(rig, etcd)
  })

  test('etcd is reset between two pages, and what changed lies in the first one alone', async () => {
    await using setup = await prepare()
    const { etcd, rig } = setup
    for (let index = 0; index < 3; index++) etcd.commit({ '/other/a': 'x' })
    const { head } = etcd
    etcd.onRange = ({ revision, from }) => (revision === head && from.startsWith('/app/15') ? reset() : undefined)
    const reset = async () => {
      etcd.onRange = () => undefined
      await eventually(() => expect(etcd.streams).toHaveLength(1))
      etcd.restore(2)
      etcd.commit({ '/app/01': 'forked' })
      // The newest key of all is the same for the mirror and for etcd.
      etcd.commit({ '/app/18': 'forked' })
      while (etcd.head <= head) etcd.commit({ '/other/a': 'y' })
      // The page comes when the mirror has noticed that its watch broke, and not when it knows why.
      const noticed = new Promise<void>((resolve) => {
        etcd.onRange = () => void resolve()
      })
      etcd.breakStreams()
      await noticed
    }
    rig.run()
    await eventually(() => expect(rig.tree().files.size).toBe(20))
    await expectTruth(rig, etcd)
    await eventually(async () => expect(await rig.metric('etcd_mirror_resync_total', { reason: 'reset' })).toBe(1))
  })
})
