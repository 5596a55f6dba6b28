import { describe, expect, it } from 'vitest'
import { makeRow } from '../../../bench/row.ts'

const measured = { name: 'cold sync', unit: 'ms', samples: [310, 290, 300] }
const peer = { name: 'bare loop', samples: [200, 180, 220] }

describe('makeRow', () => {
  it('holds the medians, the ranges, the ratio and every sample', () => {
    expect(makeRow({ ...measured, peer, target: { ratio: 1.5 }, note: 'a note' })).toEqual({
      name: 'cold sync',
      value: 300,
      unit: 'ms',
      range: [290, 310],
      samples: [310, 290, 300],
      peer: 'bare loop',
      peerValue: 200,
      peerRange: [180, 220],
      ratio: 1.5,
      target: '≤ 1.5 × peer',
      met: true,
      note: 'a note',
    })
  })

  it('holds null, not nothing, for what it was not given', () => {
    expect(makeRow(measured)).toMatchObject({
      peer: null,
      peerValue: null,
      peerRange: null,
      ratio: null,
      target: null,
      met: null,
      note: null,
    })
  })

  it('misses a ratio that is above the target, although the value is below the peer’s range', () => {
    expect(makeRow({ ...measured, peer, target: { ratio: 1.4 } })).toMatchObject({ ratio: 1.5, met: false })
  })

  it('judges a value target by the value alone', () => {
    expect(makeRow({ ...measured, peer, target: { value: 300 } })).toMatchObject({ target: '≤ 300 ms', met: true })
    expect(makeRow({ ...measured, peer, target: { value: 299 } })).toMatchObject({ met: false })
  })

  it('has no ratio to a peer that took no time', () => {
    expect(makeRow({ ...measured, peer: { name: 'pipe', samples: [0] } })).toMatchObject({ peerValue: 0, ratio: null })
  })

  it('refuses a ratio target without a peer', () => {
    expect(() => makeRow({ ...measured, target: { ratio: 2 } })).toThrow('there is no peer')
  })

  it('refuses to make a row of nothing', () => {
    expect(() => makeRow({ ...measured, samples: [] })).toThrow('there are no values')
  })

  it('leaves samples out when there are too many to list', () => {
    expect(makeRow({ ...measured, listSamples: false })).toMatchObject({ value: 300, range: [290, 310], samples: [] })
  })

  it('rounds what no run can repeat', () => {
    expect(makeRow({ ...measured, samples: [1234.5678, 0.0123456] })).toMatchObject({ samples: [1235, 0.0123] })
  })
})
