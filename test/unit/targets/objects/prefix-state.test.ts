import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PrefixState, restOf, stateFrom } from '../../../../src/targets/objects/prefix-state.ts'
import { treeData } from '../../../../src/targets/objects/tree-data.ts'

const character = fc.constantFrom('a', 'b', '.', '/', '-', ' ', 'é')
const key = fc.string({ unit: character, minLength: 1, maxLength: 8 })

/** What would be written of a state, and what else is kept with it. */
function written(keys: readonly string[]) {
  const state = new PrefixState().with(
    keys.map((text) => ({ key: Buffer.from(text), value: Buffer.from(`value of ${text}`) })),
    0,
  )
  const entries = state.sorted
  const { data, refused } = treeData(
    entries.map(({ id, value }) => ({ key: Buffer.from(id, 'latin1'), value: value ?? Buffer.alloc(0) })),
  )
  return { state, data, refused, rest: restOf(data.keys(), entries, refused) }
}

test('a state comes back from the data and the rest, whatever the keys', () => {
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 12 }), (keys) => {
      const { state, data, refused, rest } = written(keys)
      if (rest === undefined) {
        expect(refused.some(({ reason }) => reason.startsWith('has the same name'))).toBe(true)
        return
      }
      const back = stateFrom(data, rest)
      expect(back?.sorted.map(({ id }) => id)).toEqual(state.sorted.map(({ id }) => id))
      const again = treeData(
        (back?.sorted ?? []).map(({ id, value }) => ({
          key: Buffer.from(id, 'latin1'),
          value: value ?? Buffer.alloc(0),
        })),
      )
      expect([...again.data]).toEqual([...data])
    }),
    { numRuns: 2000 },
  )
})

test('a rest that does not fit the data is noticed', () => {
  const { data, rest = '' } = written(['a', 'b.c', 'd/e'])
  expect(stateFrom(new Map([...data].slice(1)), rest)).toBeUndefined()
  expect(stateFrom(new Map([...data, ['z', Buffer.alloc(0)]]), rest)).toBeUndefined()
})

test('a next state leaves the one before as it was', () => {
  const before = new PrefixState().with([{ key: Buffer.from('/p/a'), value: Buffer.from('1') }], 3)
  const after = before.with(
    [
      { key: Buffer.from('/p/a'), value: undefined },
      { key: Buffer.from('/p/b'), value: Buffer.from('2') },
    ],
    3,
  )
  expect(before.sorted.map(({ text }) => text)).toEqual(['a'])
  expect(after.sorted.map(({ text }) => text)).toEqual(['b'])
})
