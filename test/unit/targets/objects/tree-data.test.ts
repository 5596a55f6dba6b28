import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOf, configMapFields, secretFields } from '../../../../src/targets/objects/data-fields.ts'
import { dataKey } from '../../../../src/targets/objects/data-key.ts'
import { annotationsBytes, DATA_LIMIT_BYTES, dataBytes } from '../../../../src/targets/objects/object-size.ts'
import { treeData } from '../../../../src/targets/objects/tree-data.ts'
import { anyKey, isDataKey } from './kubernetes-limits.ts'

const entry = (key: string, value = key) => ({ key: Buffer.from(key), value: Buffer.from(value) })
const entries = (...keys: string[]) => keys.map((key) => entry(key))
const named = (data: ReadonlyMap<string, Buffer>) => Object.fromEntries([...data].map(([k, v]) => [k, String(v)]))

describe('dataKey', () => {
  test('is the key with "." for every "/"', () => {
    expect(dataKey(Buffer.from('nginx/conf.d/a_B-1.conf')).name).toBe('nginx.conf.d.a_B-1.conf')
  })

  test.each([
    ['', 'cannot be the name of a data key: must not be empty'],
    ['a b', 'must hold only letters'],
    ['é', 'must hold only letters'],
    ['x'.repeat(254), 'must not be longer than 253'],
    ['.', 'nor begin with ".."'],
    ['..a', 'nor begin with ".."'],
    ['//a', 'nor begin with ".."'],
  ])('%j has none, and says why', (key, reason) => {
    expect(dataKey(Buffer.from(key)).reason).toContain(reason)
  })

  test('bytes that are no UTF-8 have none', () => {
    expect(dataKey(Buffer.from([0x61, 0xff])).reason).toContain('must be UTF-8')
  })

  test('is valid in Kubernetes whenever there is one, for any key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const { name } = dataKey(key)
        if (name !== undefined) expect(name).toSatisfy(isDataKey)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('treeData', () => {
  test('gives a shared data key to the key that needs no change, and names the others', () => {
    const { data, refused } = treeData(entries('a/b', 'a.b', 'c'))
    expect(named(data)).toEqual({ 'a.b': 'a.b', c: 'c' })
    expect(refused).toEqual([{ key: Buffer.from('a/b'), reason: 'has the same name as the key a.b' }])
  })

  test('a key whose data key a document has is refused', () => {
    const { data, refused } = treeData(entries('app/json', 'b'), new Set(['app.json']))
    expect(named(data)).toEqual({ b: 'b' })
    expect(refused.map(({ reason }) => reason)).toEqual(['would have the name "app.json" of a document'])
  })

  test('every key is in the data or refused; the order in which keys come does not count', () => {
    const anyEntries = fc.uniqueArray(anyKey, { maxLength: 12, selector: (key) => key.toString('latin1') })
    fc.assert(
      fc.property(anyEntries, fc.infiniteStream(fc.nat(100)), (keys, order) => {
        const list = keys.map((key) => ({ key, value: Buffer.concat([key, Buffer.from('=')]) }))
        const result = treeData(list)
        expect(result.data.size + result.refused.length).toBe(list.length)
        for (const { key } of result.refused) expect([...result.data.values()]).not.toContainEqual(key)
        const shuffled = list.map((item) => ({ item, at: order.next().value })).sort((a, b) => a.at - b.at)
        expect(treeData(shuffled.map(({ item }) => item))).toEqual(result)
      }),
      { numRuns: 500 },
    )
  })
})

describe('configMapFields and secretFields', () => {
  test('text goes to data, other bytes to binaryData', () => {
    const data = new Map([
      ['text', Buffer.from('häßlich\u0000')],
      ['bytes', Buffer.from([0xff, 0x00])],
      ['__proto__', Buffer.from('x')],
    ])
    const fields = configMapFields(data)
    expect(JSON.stringify(fields)).toBe(
      JSON.stringify({
        data: JSON.parse('{ "text": "häßlich\\u0000", "__proto__": "x" }'),
        binaryData: { bytes: '/wA=' },
      }),
    )
    expect(secretFields(data).data?.bytes).toBe('/wA=')
  })

  test('leave out what is empty', () => {
    expect(configMapFields([])).toEqual({})
    expect(secretFields([])).toEqual({})
  })

  test('bytesOf reads back what they wrote, whatever the bytes', () => {
    const anyData = fc.dictionary(
      fc.stringMatching(/^[-_a-zA-Z0-9]{1,8}$/),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    )
    fc.assert(
      fc.property(anyData, (record) => {
        const data = new Map(Object.entries(record))
        expect(bytesOf('ConfigMap', configMapFields(data))).toEqual(data)
        expect(bytesOf('Secret', secretFields(data))).toEqual(data)
      }),
    )
  })
})

test('dataBytes counts names and bytes of values, not their encodings', () => {
  expect(dataBytes([['ab', Buffer.from([0xff, 0xff, 0xff])]])).toBe(5)
  expect(dataBytes([])).toBe(0)
  // What Kubernetes takes is 1 MiB of values, and etcd 1.5 MiB of the whole object.
  expect(DATA_LIMIT_BYTES).toBeLessThan(2 ** 20)
})

test('annotationsBytes counts keys and values in UTF-8', () => {
  expect(annotationsBytes({ a: 'é', bc: '' })).toBe(5)
})
