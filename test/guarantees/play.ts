import { FAULTS } from './fault-table.ts'
import type { HauntOptions } from './nemesis.ts'
import type { RoundReport } from './round-report.ts'
import { runRound } from './run-round.ts'
import { STORE_KINDS, type StoreKind } from './store-kinds.ts'

export interface PlayOptions extends Partial<HauntOptions> {
  readonly kind: StoreKind
  readonly seed: number
  /** Without the faults that take long. Default: with them. */
  readonly isShort?: boolean | undefined
  /** Only faults whose name holds one of these. Default: all. */
  readonly faults?: readonly string[] | undefined
}

/** One round. Rejects when the suite itself cannot go on, with the line that plays the same round again. */
export async function play(options: PlayOptions): Promise<RoundReport> {
  const { kind, seed, strikes, isOver, onStrike } = options
  const faults = FAULTS.filter(({ isHeavy = false }) => !(isHeavy && options.isShort)).filter(
    ({ name }) => options.faults?.some((part) => name.includes(part)) ?? true,
  )
  try {
    const store = await STORE_KINDS[kind]()
    return await runRound({ seed, store, faults, strikes, isOver, onStrike })
  } catch (error) {
    throw new Error(`The round broke off. To play it again: ${replayLine(options)}`, { cause: error })
  }
}

/** The command that plays a round again. The writes and faults are the same ones; how they interleave is up to the machine. */
export function replayLine({ kind, seed, strikes, isShort = false, faults = [] }: PlayOptions): string {
  const more = [
    ...(isShort ? ['--short'] : []),
    ...(strikes === undefined ? [] : [`--strikes ${strikes}`]),
    ...faults.map((name) => `--fault ${JSON.stringify(name)}`),
  ]
  return ['npm run torture -- --minutes 0', `--store ${kind}`, `--seed ${seed}`, ...more].join(' ')
}
