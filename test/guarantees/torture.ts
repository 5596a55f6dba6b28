import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Figures } from './figures.ts'
import { type PlayOptions, play, replayLine } from './play.ts'
import { STORE_KINDS, type StoreKind } from './store-kinds.ts'

export interface TortureOptions {
  /** After so long no further fault strikes; 0 = one whole round. */
  readonly minutes: number
  /** Of the first round; each further one has the next. */
  readonly seed: number
  /** Default: all, in turn. */
  readonly stores: readonly StoreKind[]
  readonly strikes: number | undefined
  /** Without the faults that take long. */
  readonly isShort: boolean
  readonly faults: readonly string[] | undefined
  /** Where the logs of rounds with violations go. */
  readonly logs: string
}

/** Plays rounds until the time is over. `figures` counts while it goes on, for whoever wants to end it earlier. */
export async function torture(options: TortureOptions, figures: Figures): Promise<void> {
  const deadline = performance.now() + options.minutes * 60_000
  const isOver = () => options.minutes > 0 && performance.now() >= deadline
  const stores = options.stores.length > 0 ? options.stores : (Object.keys(STORE_KINDS) as StoreKind[])
  for (let seed = options.seed; ; seed += 1) {
    const kind = stores[seed % stores.length] as StoreKind
    const { strikes, faults, isShort } = options
    await playOne({ kind, seed, strikes, faults, isShort, isOver }, figures, options.logs)
    if (options.minutes === 0 || isOver()) return
  }
}

async function playOne(round: PlayOptions, figures: Figures, logs: string): Promise<void> {
  try {
    const report = await play(round)
    figures.add(report)
    const one = new Figures()
    one.add(report)
    console.log(`  seed ${round.seed} on ${report.store}: ${one}`)
    if (report.violations.length > 0) await complain(round, report.violations, report.output, logs)
  } catch (error) {
    figures.addBroken()
    console.error(error)
  }
}

async function complain(
  round: PlayOptions,
  violations: readonly string[],
  output: string,
  logs: string,
): Promise<void> {
  const path = join(logs, `torture-${round.kind}-${round.seed}.log`)
  await mkdir(logs, { recursive: true })
  await writeFile(path, output)
  for (const violation of violations.slice(0, 20)) console.error(`  ${violation}`)
  console.error(`  log of the mirror: ${path}`)
  console.error(`  again: ${replayLine(round)}`)
}
