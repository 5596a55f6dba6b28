import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeKeyPath, encodeKeyPath } from '../../../../src/targets/files/key-path.ts'

const encode = (text: string) => encodeKeyPath(Buffer.from(text))
const RESERVED = new Set(['.etcd-mirror', 'lost+found'])

/** Keys made of what is hard: separators, dots, escapes, marks, broken UTF-8, long segments. */
const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '//',
    '.',
    '..',
    '%',
    '%2E',
    '%empty',
    '%leaf',
    '%~',
    '%aside',
    '%next',
    '.etcd-mirror',
    '%2Eetcd-mirror',
    'lost+found',
    '%6Cost+found',
    '\\',
    'é',
    '漢',
    '🙂',
    '\u0000',
    'a',
  ),
  fc.string({ maxLength: 4 }),
  fc.nat(300).map((length) => 'x'.repeat(length)),
  fc.nat(120).map((length) => '漢'.repeat(length)),
)
const textKey = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.from(pieces.join('')))
const byteKey = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes))
const mixedKey = fc.tuple(textKey, byteKey, textKey).map((parts) => Buffer.concat(parts))
const anyKey = fc.oneof(textKey, byteKey, mixedKey)

describe('encodeKeyPath', () => {
  test('leaves plain keys as they are', () => {
    for (const key of [
      'a',
      'a/b/c',
      'nginx.conf',
      '.hidden',
      '...',
      'with space',
      'Ünïcödé/漢字/🙂',
      'back\\slash',
      '~-_$@',
    ]) {
      expect(encode(key)).toBe(key)
    }
  })

  test('escapes NUL, control characters, DEL and the percent sign in upper-case hex', () => {
    expect(encode('a\u0000b\u001f\u007f%')).toBe('a%00b%1F%7F%25')
  })

  test('escapes each byte that is no part of valid UTF-8 and nothing else', () => {
    expect(encodeKeyPath(Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0xc3, 0x2f, 0xed, 0xa0, 0x80]))).toBe(
      'a%FFé%C3/%ED%A0%80',
    )
  })

  test('never makes the names "." and ".." or an empty one', () => {
    expect(encode('./../a//b/')).toBe('%2E/%2E%2E/a/%empty/b/%empty')
    expect(encode('')).toBe('%empty')
    expect(encode('/')).toBe('%empty/%empty')
  })

  test('cuts a segment of more than 255 bytes into a chain of directories, no escape or character in two', () => {
    expect(encode('x'.repeat(255))).toBe('x'.repeat(255))
    expect(encode('x'.repeat(256))).toBe(`${'x'.repeat(253)}%~/xxx`)
    expect(encode(`${'x'.repeat(252)}漢漢`)).toBe(`${'x'.repeat(252)}%~/漢漢`)
    expect(encode(`${'x'.repeat(251)}\u0001yyy`)).toBe(`${'x'.repeat(251)}%~/%01yyy`)
  })

  test('makes only names that Linux takes, of any key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        for (const name of encodeKeyPath(key).split('/')) {
          expect(Buffer.byteLength(name)).toBeGreaterThan(0)
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
          expect(['.', '..', '%leaf', '%aside', '%next']).not.toContain(name)
          expect(name).not.toContain('\0')
        }
      }),
    )
  })

  test('is reversible, hence injective, for any key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        expect(decodeKeyPath(encodeKeyPath(key)).toString('hex')).toBe(key.toString('hex'))
      }),
      { numRuns: 1000 },
    )
  })

  test('gives two different keys two different paths', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (left, right) => {
        expect(encodeKeyPath(left) === encodeKeyPath(right)).toBe(left.equals(right))
      }),
    )
  })
})

describe('encodeKeyPath with reserved names', () => {
  test('escapes the first segment alone, and only if it is one of them', () => {
    const paths = ['.etcd-mirror', '.etcd-mirror/a', 'a/.etcd-mirror', '.etcd-mirrors', 'lost+found/b', '/lost+found']
    expect(paths.map((path) => encodeKeyPath(Buffer.from(path), RESERVED))).toEqual([
      '%2Eetcd-mirror',
      '%2Eetcd-mirror/a',
      'a/.etcd-mirror',
      '.etcd-mirrors',
      '%6Cost+found/b',
      '%empty/lost+found',
    ])
  })

  test('never makes one of them the first name, and is reversible, hence injective, for any key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const path = encodeKeyPath(key, RESERVED)
        expect([...RESERVED]).not.toContain(path.split('/')[0])
        expect(decodeKeyPath(path).toString('hex')).toBe(key.toString('hex'))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('decodeKeyPath', () => {
  test('takes the file of a key that is a directory as well for the key itself', () => {
    expect(decodeKeyPath('a/b/%leaf').toString()).toBe('a/b')
    expect(decodeKeyPath('%empty/%leaf').toString()).toBe('')
  })
})
