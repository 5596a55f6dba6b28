import { chmodSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { apply, fileSink, options, publishedTree, restore, tempDirectory } from './support.ts'

const modes = [
  { files: ['secrets/**'], mode: 0o400 },
  { files: ['**/*.sh', 'secrets/x'], mode: 0o755 },
]

test.each(['Snapshot', 'InPlace'] as const)('modes: the first glob that fits counts, layout %s', async (layout) => {
  const root = tempDirectory()
  const sink = fileSink(root, { layout, modes })
  const tree = () => (layout === 'InPlace' ? root : publishedTree(root))
  const modeOf = (path: string) => (lstatSync(join(tree(), path)).mode & 0o777).toString(8)
  await restore(sink, { a: '1', 'b/run.sh': '1', 'secrets/x': '1', secrets: '1' }, 5)
  expect(['a', 'b/run.sh', 'secrets/x', 'secrets/%leaf'].map(modeOf)).toEqual(['644', '755', '400', '400'])
  await apply(sink, { a: '2', 'b/run.sh': '2', 'secrets/x': '2', 'c.sh': '2' }, 6)
  expect(['a', 'b/run.sh', 'secrets/x', 'c.sh'].map(modeOf)).toEqual(['644', '755', '400', '755'])
  expect(await sink.verify(options)).toEqual({ sound: true })
  chmodSync(join(tree(), 'secrets/x'), 0o644)
  expect(await sink.verify(options)).toEqual({ sound: false })
  await restore(sink, { a: '2', 'b/run.sh': '2', 'secrets/x': '2', 'c.sh': '2' }, 7)
  expect(modeOf('secrets/x')).toBe('400')
})
