import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'

const BIN = join(import.meta.dirname, '../../../dist/bin')
const MARKS = { undici: 'UND_ERR_CONNECT_TIMEOUT', 'client-node': 'loadFromClusterAndUser' }

/** Every file of the bundle that is there once `file` is loaded, without what is loaded later. */
function loadedWith(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found
  found.add(file)
  const text = readFileSync(file, 'utf8')
  for (const [, name = ''] of text.matchAll(/\b(?:import|export)\b\s*(?:[^"'();]*?\bfrom\s*)?["'](\.[^"']+)["']/g)) {
    loadedWith(join(BIN, basename(file) === 'etcd-mirror.js' ? '' : 'chunks', name), found)
  }
  return found
}

const holders = (mark: string, files: Iterable<string>) =>
  [...files].filter((file) => readFileSync(file, 'utf8').includes(mark)).map((file) => basename(file))

test('a mirror of files loads neither undici nor the client library', () => {
  const chunks = readdirSync(join(BIN, 'chunks')).filter((name) => name.endsWith('.js'))
  const run = chunks.find((name) => /^run-/.test(name)) ?? ''
  const loaded = loadedWith(join(BIN, 'chunks', run), loadedWith(join(BIN, 'etcd-mirror.js')))
  expect(loaded.size).toBeGreaterThan(5)
  // It would be seen if it were loaded, as what a ConfigMap needs is.
  const client = chunks.find((name) => /^kube-client-/.test(name)) ?? ''
  expect(holders(MARKS.undici, loadedWith(join(BIN, 'chunks', client)))).not.toEqual([])
  for (const mark of Object.values(MARKS)) {
    // The mark finds it where it is.
    expect(
      holders(
        mark,
        chunks.map((name) => join(BIN, 'chunks', name)),
      ),
      mark,
    ).not.toEqual([])
    expect(holders(mark, loaded), mark).toEqual([])
  }
})
