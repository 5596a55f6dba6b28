import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeKeyPath } from '../../../../src/targets/files/key-path.ts'
import { seedSource } from '../../../../src/targets/files/seed-source.ts'
import { fileSink, options, publishedFiles, publishedName, restore, tempDirectory } from './support.ts'

const PREFIX = Buffer.from('/config/')
const LIMITS = { maxKeys: 10, maxBytes: 1000, maxValueBytes: 500 }

function seedOf(files: Readonly<Record<string, string>>): string {
  const directory = tempDirectory()
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), content)
  }
  return directory
}

/** Key (latin1) and value of each page, in their order. */
async function keysOf(directory: string, limits = LIMITS): Promise<[string, string][]> {
  const pages = await Array.fromAsync(seedSource(directory, PREFIX, limits).pages)
  return pages.flat().map(({ key, value }) => [key.toString('latin1'), value.toString()])
}

describe('seedSource', () => {
  test('reads files as the keys that a tree would write there, in ascending order', async () => {
    const binary = Buffer.from([0x62, 0xff])
    const directory = seedOf({ 'a/b': '1', 'a-b': '2', 'a/%leaf': '3', [encodeKeyPath(binary)]: '4', '.c': '5' })
    expect(await keysOf(directory)).toEqual([
      ['/config/.c', '5'],
      ['/config/a', '3'],
      ['/config/a-b', '2'],
      ['/config/a/b', '1'],
      ['/config/b\xff', '4'],
    ])
  })

  test('takes a name that no tree would write for the key itself', async () => {
    expect(await keysOf(seedOf({ '100%.txt': '1' }))).toEqual([['/config/100%.txt', '1']])
    await expect(keysOf(seedOf({ '100%.txt': '1', '100%25.txt': '2' }))).rejects.toThrow('two of its files')
  })

  test('reads a mounted ConfigMap: links are followed, the names behind them are not', async () => {
    const directory = seedOf({ '..2026/a': '1' })
    symlinkSync('..2026', join(directory, '..data'))
    symlinkSync('..data/a', join(directory, 'a'))
    expect(await keysOf(directory)).toEqual([['/config/a', '1']])
  })

  test.each([
    ['is missing', () => join(tempDirectory(), 'gone'), 'it cannot be read (ENOENT)'],
    ['is a file', () => join(seedOf({ file: '' }), 'file'), 'it cannot be read (ENOTDIR)'],
    ['holds nothing', () => seedOf({ '..data/a': '1' }), 'it holds no files'],
    ['holds too much', () => seedOf(files(3, 400)), 'it is larger than limits.maxBytes 1000'],
    ['holds too many', () => seedOf(files(11, 1)), 'it holds more files than limits.maxKeys 10'],
    ['holds a large one', () => seedOf(files(1, 501)), 'one of its files is larger than limits.maxValueBytes 500'],
  ])('is unusable when it %s, and says so without the name of a file in it', async (_, make, state) => {
    const directory = make()
    await expect(keysOf(directory)).rejects.toMatchObject({
      code: 'SeedUnusable',
      message: `Cannot publish the fallback ${directory}: ${state}`,
      retryable: true,
    })
  })

  test('does not read what is beyond the limits', async () => {
    const directory = seedOf({ large: '' })
    // A hole: more than there is memory for.
    truncateSync(join(directory, 'large'), 2 ** 40)
    await expect(keysOf(directory)).rejects.toMatchObject({ code: 'SeedUnusable' })
  })
})

describe('a seed in the file sink', () => {
  test('is published under revision 0, is found again, and gives way to an equal state', async () => {
    const root = join(tempDirectory(), 'root')
    const sink = fileSink(root)
    await sink.open(options)
    await sink.restore(seedSource(seedOf({ a: '1' }), PREFIX, LIMITS), options)
    expect(publishedName(root)).toBe('0')
    await sink.close()

    const again = fileSink(root)
    expect(await again.open(options)).toMatchObject({ published: { revision: 0, epoch: 0 } })
    expect(await restore(again, { a: '1' }, 10)).toMatchObject({ published: true, written: 0 })
    expect(publishedName(root)).toBe('10')
    expect(publishedFiles(root)).toEqual({ a: '1' })
    expect(await restore(again, { a: '1' }, 11)).toMatchObject({ published: false })
  })

  test('gives way to an empty state', async () => {
    const root = join(tempDirectory(), 'root')
    const sink = fileSink(root)
    await sink.restore(seedSource(seedOf({ a: '1' }), PREFIX, LIMITS), options)
    await restore(sink, {}, 10)
    expect(publishedFiles(root)).toEqual({})
  })
})

function files(count: number, bytes: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, 'x'.repeat(bytes)]))
}
