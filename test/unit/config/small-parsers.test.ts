import fc from 'fast-check'
import { expect, test } from 'vitest'
import { configHash } from '../../../src/config/config-hash.ts'
import { parseFileMode } from '../../../src/util/file-mode.ts'
import { joinHostPort, parseHostPort } from '../../../src/util/host-port.ts'
import { didYouMean, nearestName } from '../../../src/util/suggest.ts'

test('parseFileMode reads three octal digits, with or without a leading zero', () => {
  expect(['0644', '755', '0000', '0777'].map(parseFileMode)).toEqual([0o644, 0o755, 0, 0o777])
})

test.each(['', '644x', '0888', '1777', '44', '00644', '-644', '0o644', '420.0'])('parseFileMode refuses %j', (text) => {
  expect(parseFileMode(text)).toBeUndefined()
})

test.each([
  [':9379', '', 9379],
  ['127.0.0.1:1', '127.0.0.1', 1],
  ['etcd-0.etcd.svc', 'etcd-0.etcd.svc', undefined],
  ['[::1]:2379', '::1', 2379],
  ['[127.0.0.1]:2379', '127.0.0.1', 2379],
  ['[fe80::1%eth0]', 'fe80::1%eth0', undefined],
])('parseHostPort splits %j', (text, host, port) => {
  expect(parseHostPort(text)).toEqual({ host, port })
})

test.each(['', '::1', 'a:b', 'a:', 'a:65536', '[a]:1', '[::1', 'a b:1', 'a/b', '1:2:3'])(
  'parseHostPort refuses %j',
  (text) => {
    expect(parseHostPort(text)).toBeUndefined()
  },
)

test('parseHostPort reads back what joinHostPort prints', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
      expect(parseHostPort(joinHostPort(host, port))).toEqual({ host, port })
    }),
  )
})

test.each([
  ['filez', ['files', 'configMap'], 'files'],
  ['dialTimeout', ['dial-timeout', 'operation-timeout'], 'dial-timeout'],
  ['dial_timeout', ['dial-timeout'], 'dial-timeout'],
  ['password', ['username', 'password-file'], 'password-file'],
  ['cert', ['ca-file', 'cert-file', 'key-file'], 'cert-file'],
  ['ca-cert', ['cert-file', 'key-file', 'ca-file'], undefined],
  ['x', ['name', 'prefix'], undefined],
])('nearestName of %j among %j is %j', (word, known, expected) => {
  expect(nearestName(word, known)).toBe(expected)
})

test('didYouMean says nothing when nothing is near', () => {
  expect(didYouMean('zzzzzz', ['name'])).toBe('')
})

test('configHash does not depend on the order of keys, but on everything else', () => {
  const hash = configHash({ a: 1, b: { c: [1, 2], d: null } })
  expect(configHash({ b: { d: null, c: [1, 2] }, a: 1 })).toBe(hash)
  expect(configHash({ a: 1, b: { c: [2, 1], d: null } })).not.toBe(hash)
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
})
