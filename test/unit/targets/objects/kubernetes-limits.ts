// What Kubernetes validates, written from its documentation and not from the code under test.
import fc from 'fast-check'

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`)

/** Names of most objects: RFC 1123 subdomains, at most 253 characters. */
export const isObjectName = (name: string) => name.length <= 253 && SUBDOMAIN.test(name)

/** Data keys of ConfigMaps and Secrets. */
export const isDataKey = (name: string) =>
  name.length <= 253 && /^[-._a-zA-Z0-9]+$/.test(name) && name !== '.' && !name.startsWith('..')

/** Names of mirrors: DNS labels. */
export const anyMirrorName = fc
  .stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
  .filter((name) => name.length <= 63)

/** Keys made of what is hard: separators, hyphens, dots, marks, capitals, long segments, broken UTF-8. */
const piece = fc.oneof(
  fc.constantFrom('/', '//', '.', '..', '-', '--', '_', 'a', 'A', 'b', '0', 'é', '漢', '🙂', '\u0000', ' ', '%', 'x--'),
  fc.string({ maxLength: 4 }),
  fc.nat(300).map((length) => 'x'.repeat(length)),
  fc.stringMatching(/^[a-z2-7]{26}$/),
)
const plainKey = fc
  .array(fc.constantFrom('a', 'b', 'A', '-', '_', '.', '/'), { maxLength: 5 })
  .map((pieces) => Buffer.from(pieces.join('')))
const textKey = fc.array(piece, { maxLength: 10 }).map((pieces) => Buffer.from(pieces.join('')))
const byteKey = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
export const anyKey = fc.oneof(plainKey, textKey, byteKey)

/** A key that names could take for the other one. */
export const anyNearMiss = fc.constantFrom<(key: Buffer) => Buffer>(
  (key) => Buffer.from(key.toString('latin1').toLowerCase(), 'latin1'),
  (key) => Buffer.from(key.toString('latin1').replaceAll('/', '.'), 'latin1'),
  (key) => Buffer.from(key.toString('latin1').replaceAll('.', '/'), 'latin1'),
  (key) => Buffer.from(key.toString('latin1').replaceAll('_', '-'), 'latin1'),
  (key) => Buffer.from(key.toString('utf8')),
  (key) => Buffer.concat([key, Buffer.from('/')]),
  (key) => key.subarray(0, -1),
  (key) => key,
)
