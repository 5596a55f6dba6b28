import { median } from './statistics.ts'

/** One measured fact beside what it is compared with, in the same run. */
export interface Row {
  readonly name: string
  /** Median of `samples` unless the name says otherwise. */
  readonly value: number
  readonly unit: string
  /** Least and greatest sample. */
  readonly range: readonly [number, number]
  /** In the order of the runs; empty where there are too many to list. */
  readonly samples: readonly number[]
  readonly peer: string | null
  readonly peerValue: number | null
  readonly peerRange: readonly [number, number] | null
  readonly ratio: number | null
  /** In words. */
  readonly target: string | null
  /** null = no target, or one that this run was too small for. */
  readonly met: boolean | null
  readonly note: string | null
}

/** What is to be reached: at most this many times the peer's value, or at most this value. */
export type Target = { readonly ratio: number } | { readonly value: number }

export interface Measured {
  readonly samples: readonly number[]
  /** Default: the median of the samples. */
  readonly value?: number
}

export interface RowInput extends Measured {
  readonly name: string
  readonly unit: string
  readonly peer?: (Measured & { readonly name: string }) | undefined
  readonly target?: Target | undefined
  readonly note?: string | undefined
  /** false: samples stay out of the results. Default true. */
  readonly listSamples?: boolean
}

/** Throws without samples, and for a ratio target without a peer. */
export function makeRow({ name, unit, peer, target, note, listSamples = true, ...measured }: RowInput): Row {
  const value = rounded(figureOf(measured))
  const peerValue = peer === undefined ? null : rounded(figureOf(peer))
  const ratio = peerValue === null || peerValue === 0 ? null : rounded(value / peerValue)
  return {
    name,
    value,
    unit,
    range: rangeOf(measured.samples),
    samples: listSamples ? measured.samples.map(rounded) : [],
    peer: peer?.name ?? null,
    peerValue,
    peerRange: peer === undefined ? null : rangeOf(peer.samples),
    ratio,
    target: target === undefined ? null : targetText(target, unit),
    met: target === undefined ? null : isMet(target, value, ratio),
    note: note ?? null,
  }
}

function figureOf({ value, samples }: Measured): number {
  return value ?? median(samples)
}

function rangeOf(samples: readonly number[]): readonly [number, number] {
  return [rounded(Math.min(...samples)), rounded(Math.max(...samples))]
}

function targetText(target: Target, unit: string): string {
  return 'ratio' in target ? `≤ ${target.ratio} × peer` : `≤ ${target.value} ${unit}`
}

function isMet(target: Target, value: number, ratio: number | null): boolean {
  if ('value' in target) return value <= target.value
  if (ratio === null) throw new Error('Cannot judge a ratio: there is no peer')
  return ratio <= target.ratio
}

/** Three significant digits below 100, whole numbers above: more would be noise. */
function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
