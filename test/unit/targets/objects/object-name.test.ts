import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { objectName } from '../../../../src/targets/objects/object-name.ts'
import { anyKey, anyMirrorName, anyNearMiss, isObjectName } from './kubernetes-limits.ts'

const nameOf = (key: string) => objectName('app', Buffer.from(key))

describe('objectName', () => {
  test('leaves plain keys readable and without a hash', () => {
    expect(nameOf('greeting')).toBe('app.greeting')
    expect(nameOf('feature/dark-mode')).toBe('app.feature.dark-mode')
    expect(nameOf('0/1')).toBe('app.0.1')
  })

  test('adds a hash to what is no name, and never changes: names of objects that stand in clusters', () => {
    expect(nameOf('Feature/Dark_Mode')).toBe('app.feature.dark-mode--pidxnwo2kukn665ojxygg26nuv')
    expect(nameOf('')).toBe('app.x--okuv7hdiz3rjzxaig7i2nzt6uc')
    expect(nameOf('a.b')).toBe('app.a-b--cd6uow7jlz2327nwhcky5nvwm7')
  })

  test('keeps apart what only differs in what a name cannot hold', () => {
    const keys = ['a/b', 'a.b', 'a//b', '/a/b', 'a/b/', 'A/b', 'a-b', 'a--b', 'a_b', 'a/-b', 'a b', 'a\u0000b', 'é']
    expect(new Set(keys.map(nameOf)).size).toBe(keys.length)
  })

  test('a key that looks like the made name of another key does not get it', () => {
    const made = nameOf('a.b').slice('app.'.length)
    expect(nameOf(made)).not.toBe(nameOf('a.b'))
  })

  test('is a valid name of at most 253 characters, for any key', () => {
    fc.assert(
      fc.property(anyMirrorName, anyKey, (mirror, key) => {
        expect(objectName(mirror, key)).toSatisfy(isObjectName)
      }),
      { numRuns: 2000 },
    )
  })

  test('is another one for every other key or mirror', () => {
    fc.assert(
      fc.property(anyMirrorName, anyMirrorName, anyKey, anyNearMiss, (mirrorA, other, keyA, nearMiss) => {
        const keyB = nearMiss(keyA)
        const mirrorB = keyA.length % 2 === 0 ? mirrorA : other
        const isSame = mirrorA === mirrorB && keyA.equals(keyB)
        expect(objectName(mirrorA, keyA) === objectName(mirrorB, keyB)).toBe(isSame)
      }),
      { numRuns: 2000 },
    )
  })
})
