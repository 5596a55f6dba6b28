import { eventually } from '../support/wait.ts'
import type { Fault } from './fault.ts'
import { GUARANTEES, type Guarantee, judge, NEEDS_A_SOUND_SERVER } from './judge.ts'
import { LEASED_PREFIX } from './key-space.ts'
import { type HauntOptions, haunt } from './nemesis.ts'
import { type OpenArena, openArena } from './open-arena.ts'
import { Values } from './operations.ts'
import { Random } from './random.ts'
import type { RoundRecord, SeenRestart } from './record.ts'
import { awaitRest, seenEnd } from './rest.ts'
import { restartAtRest } from './restart.ts'
import type { RoundReport } from './round-report.ts'
import type { Store } from './store.ts'

export interface RoundOptions extends HauntOptions {
  readonly seed: number
  /** Disposed of with the round. */
  readonly store: Store
  readonly faults: readonly Fault[]
}

/** One store, one mirror, random writes and random faults; then rest, one restart, and the judgement. */
export async function runRound({ seed, store, faults, ...haunting }: RoundOptions): Promise<RoundReport> {
  const random = new Random(seed)
  await using arena = await openArena(store, random)
  const struck = await haunt(arena, faults, random.fork('nemesis'), haunting)
  await arena.network.heal()
  await arena.workload.stop()
  const record = await finish(arena, random)
  const violations = [
    ...judge(record, guaranteesOf(store)),
    ...arena.readers.patient.violations.map((line) => `atomic: ${line}`),
  ]
  const doubts = store.losesEvents ? [] : arena.timeline.disagreements().map((line) => `the oracle itself: ${line}`)
  return {
    seed,
    store: store.name,
    faults: struck,
    revisions: arena.timeline.revisionCount,
    publishes: record.roots.reduce((sum, trees) => sum + new Set(trees.map(({ name }) => name)).size, 0),
    reads: arena.readers.reads,
    violations: [...violations, ...doubts],
    output: arena.mirror.output,
  }
}

async function finish(arena: OpenArena, random: Random): Promise<RoundRecord> {
  const values = new Values('of the end')
  // Nothing changes by itself any more.
  await eventually(() => arena.writer.deletePrefix(LEASED_PREFIX), { timeoutMs: 120_000 })
  const complaints = [...(await awaitRest(arena, values.small(random)))]
  const restarts: SeenRestart[] = []
  if (complaints.length === 0) {
    const { restart, complaints: more } = await restartAtRest(arena, random, values)
    restarts.push(restart)
    complaints.push(...more)
  }
  await arena.readers.stop()
  await arena.observer.reach(await arena.writer.head())
  return {
    eras: arena.timeline.settle(),
    roots: [...arena.readers.recorder.seen, arena.engine.sink.seen],
    patientTrees: arena.readers.patient.seen,
    streams: arena.stream.seen,
    restarts,
    end: await seenEnd(arena, complaints),
    surroundings: arena.mirror.surroundings,
  }
}

function guaranteesOf({ losesEvents }: Store): readonly Guarantee[] {
  const all = Object.keys(GUARANTEES) as Guarantee[]
  return losesEvents ? all.filter((name) => !NEEDS_A_SOUND_SERVER.has(name)) : all
}
