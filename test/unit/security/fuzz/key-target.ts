import fc from 'fast-check'
import { decodeKeyPath, encodeKeyPath, printableKey } from '../../../../src/targets/files/key-path.ts'
import { KeyPaths } from '../../../../src/targets/files/key-paths.ts'
import { layoutOf, RESERVED_NAMES } from '../../../../src/targets/files/layout.ts'

const PIECES = [
  '/',
  '//',
  '.',
  '..',
  '../',
  '%',
  '%2E',
  '%2F',
  '%00',
  '%empty',
  '%leaf',
  '%~',
  '%aside',
  '.etcd-mirror',
  'lost+found',
  '\u0000',
  '\n',
  '\\',
  'é',
  'e\u0301',
  '漢',
  '🙂',
  '\u202e',
]
const key = fc
  .array(
    fc.oneof(
      fc.constantFrom(...PIECES).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.constantFrom('x', '漢', '../', '\u0001', 'a/'), fc.nat(600))
        .map(([text, times]) => Buffer.from(text.repeat(times))),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts))
const paths = new KeyPaths(Buffer.alloc(0), layoutOf('/mirror'), RESERVED_NAMES)

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/
const FORBIDDEN: ReadonlySet<string> = new Set(['', '.', '..', '%leaf', '%aside', '%next'])

function faultOf(path: string, reserved: ReadonlySet<string>): string | undefined {
  const names = path.split('/')
  if (names.some((name) => FORBIDDEN.has(name))) return 'It may leave the tree, or is one of our marks'
  if (names.some((name) => Buffer.byteLength(name) > 255)) return 'A name is too long'
  if (CONTROL.test(path)) return 'It holds a control character'
  return reserved.has(names[0] ?? '') ? 'It is one of our own names' : undefined
}

export const keyTarget = {
  name: 'key',
  slice: 3000,
  property: fc.property(key, (bytes) => {
    for (const reserved of [new Set<string>(), RESERVED_NAMES]) {
      const path = encodeKeyPath(bytes, reserved)
      const fault = faultOf(path, reserved)
      if (fault !== undefined) throw new Error(fault)
      if (!decodeKeyPath(path).equals(bytes)) throw new Error('It does not read back as the key')
    }
    const { path, reason } = paths.resolve(bytes)
    if ((path === undefined) === (reason === undefined)) throw new Error('It needs either a path or a reason')
    if (path !== undefined && Buffer.byteLength(path) > 4095) throw new Error('The path is too long')
    printableKey(bytes)
  }),
}
