import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'

const BIN = join(import.meta.dirname, '../../../dist/bin')
const PACKAGES = join(import.meta.dirname, '../../../node_modules')
/** What stands in the code of a package alone. */
const MARKS = {
  undici: 'UND_ERR_CONNECT_TIMEOUT',
  'client-node': 'loadFromClusterAndUser',
  liquidjs: 'UndefinedVariableError',
  'js-yaml': 'unknown escape sequence',
  'smol-toml': 'Invalid TOML document',
  'json-schema': 'Duplicate schema URI',
}
/** What no command needs: languages that zod could speak, character sets of bodies and queries, and types of files that nobody sends. */
const NEVER = {
  'zod/v4/locales/nl.js': 'Ongeldige invoer',
  'iconv-lite/encodings/sbcs-data-generated.js': 'iso88591',
  'mime-db/db.json': 'application/vnd.apple.pkpass',
  'qs/lib/parse.js': 'throwOnLimitExceeded',
}

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

const chunks = readdirSync(join(BIN, 'chunks')).filter((name) => name.endsWith('.js'))
const all = [join(BIN, 'etcd-mirror.js'), ...chunks.map((name) => join(BIN, 'chunks', name))]
const chunkOf = (module: string) => {
  const name = chunks.find((each) => each.startsWith(`${module}-`))
  if (name === undefined) throw new Error(`There is no chunk ${module}`)
  return join(BIN, 'chunks', name)
}

test('a mirror of files loads nothing of Kubernetes, and no language of documents, templates and validation', () => {
  const loaded = loadedWith(chunkOf('run'), loadedWith(join(BIN, 'etcd-mirror.js')))
  expect(loaded.size).toBeGreaterThan(5)
  // It would be seen if it were loaded, as what a ConfigMap and what templates need is.
  expect(holders(MARKS.undici, loadedWith(chunkOf('kube-client')))).not.toEqual([])
  expect(holders(MARKS.liquidjs, loadedWith(chunkOf('template-text')))).not.toEqual([])
  for (const mark of Object.values(MARKS)) {
    // The mark finds it where it is.
    expect(holders(mark, all), mark).not.toEqual([])
    expect(holders(mark, loaded), mark).toEqual([])
  }
})

test('the command holds nothing that it never needs', () => {
  for (const [file, mark] of Object.entries(NEVER)) {
    expect(holders(mark, [join(PACKAGES, file)]), mark).not.toEqual([])
    expect(holders(mark, all), mark).toEqual([])
  }
})

test('the command is JavaScript alone, so that one build serves every architecture', () => {
  const files = readdirSync(BIN, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  // Wherever it is copied to, Node need not parse a file to find out that it is a module.
  expect(files.map(({ name }) => name).filter((name) => !/\.js(\.map)?$/.test(name))).toEqual(['package.json'])
  expect(JSON.parse(readFileSync(join(BIN, 'package.json'), 'utf8'))).toEqual({ type: 'module' })
})
