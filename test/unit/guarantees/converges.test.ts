import { expect, test } from 'vitest'
import { converges } from '../../guarantees/guarantees/converges.ts'
import { SAMPLE, tree } from './sample-record.ts'

const store = new Map([
  ['a', '6'],
  ['c', '5'],
])
const end = { tree: tree('6', { a: '6', c: '5' }), engine: store, store, complaints: [], trees: ['6'] }

test('converges: the copy is what etcd holds, and etcd holds what was written', () => {
  expect(converges({ end, eras: [SAMPLE] })).toEqual([])
})

test('converges: a copy that differs from etcd, or is not there, is found', () => {
  expect(converges({ end: { ...end, tree: tree('5', { a: '3', b: '3b' }) }, eras: [SAMPLE] })).toEqual([
    'the copy at the end is wrong in a',
    'the copy at the end is wrong in c',
    'the copy at the end has b, which is gone',
  ])
  expect(converges({ end: { ...end, tree: undefined }, eras: [SAMPLE] })).toContain('nothing is published at the end')
})

test('converges: a target of the engine that differs from etcd is found', () => {
  expect(converges({ end: { ...end, engine: new Map([['a', '6']]) }, eras: [SAMPLE] })).toEqual([
    "the engine's target at the end is wrong in c",
  ])
})

test('converges: a mirror that does not say so is found', () => {
  const complaints = ['lastError TargetFull']
  expect(converges({ end: { ...end, complaints }, eras: [SAMPLE] })).toEqual([
    'at the end the mirror says: lastError TargetFull',
  ])
})

test('converges: an etcd that does not hold what was acknowledged is found', () => {
  const poorer = { ...end, store: new Map([['a', '6']]), engine: new Map([['a', '6']]), tree: tree('6', { a: '6' }) }
  expect(converges({ end: poorer, eras: [SAMPLE] })).toEqual([
    'what was written, beside what etcd holds at the end, has c, which is gone',
  ])
})
