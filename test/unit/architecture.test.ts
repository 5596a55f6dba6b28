import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SourceTree } from '../support/source-tree.ts'

/** Top to bottom: a room imports only rooms of lower lines; rooms on one line do not import each other. */
const ROOMS = [
  ['index.ts', 'proto.ts', 'testing.ts'],
  ['main.ts'],
  ['commands'],
  ['operator'],
  ['assemble'],
  ['config'],
  ['targets'],
  ['server'],
  ['library'],
  ['mirror', 'compactor'],
  ['replication'],
  ['config-files'],
  ['etcd', 'kube', 'embedded'],
  ['observe'],
  ['util'],
]

/** Where a vendor package may be imported; one that is not named here may be imported everywhere. */
const VENDORS: Readonly<Record<string, RegExp>> = {
  '@grpc/grpc-js': /^(etcd|embedded)\//,
  protobufjs: /^(etcd|embedded)\//,
  long: /^(etcd|embedded)\//,
  '@bufbuild/protobuf': /^library\/proto\//,
  pino: /^observe\//,
  'prom-client': /^observe\//,
  express: /^server\//,
  zod: /^(config|config-files|library)\/|\/options\.ts$/,
  yaml: /^config-files\//,
  undici: /^kube\//,
  '@kubernetes/client-node': /^kube\//,
  commander: /^(commands\/|main\.ts)/,
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

type Rule = (tree: SourceTree, manifest: Manifest) => readonly string[]

const EXPORTS = ['index.ts', 'proto.ts', 'testing.ts']
const roomOf = (file: string) => file.split('/')[0] ?? file
const levelOf = (file: string) => ROOMS.findIndex((line) => line.includes(roomOf(file)))
const pathsOf = (tree: SourceTree) => [...tree.files.keys()]

const rules: Readonly<Record<string, Rule>> = {
  'every file stands in a room': (tree) => pathsOf(tree).filter((file) => levelOf(file) === -1),

  'a room imports only rooms below it': (tree) =>
    pathsOf(tree).flatMap((from) =>
      tree
        .localImports(from)
        .filter((to) => roomOf(to) !== roomOf(from) && levelOf(to) <= levelOf(from))
        .map((to) => `${from} imports ${to}`),
    ),

  'no import cycles': (tree) => pathsOf(tree).filter((file) => tree.reachableFrom(tree.localImports(file)).has(file)),

  'no file only passes on what others export, but the package exports': (tree) => {
    const passedOn = /^(import|export)\b[^;=()]*?\bfrom '[^']+';?$|^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm
    const isBarrel = (text: string) => /^export\b/m.test(text) && text.replaceAll(passedOn, '').trim() === ''
    return pathsOf(tree).filter((file) => isBarrel(tree.files.get(file) ?? '') && !EXPORTS.includes(file))
  },

  'a vendor package is imported in its rooms only': (tree) =>
    pathsOf(tree)
      .flatMap((file) => tree.packageImports(file))
      .filter(({ from, name }) => VENDORS[name]?.test(from) === false)
      .map(({ from, name }) => `${from} imports ${name}`),

  'what the library imports is a dependency, what the rest imports a dependency or a development dependency': (
    tree,
    { dependencies, devDependencies, peerDependencies },
  ) => {
    const library = tree.reachableFrom(EXPORTS)
    const forLibrary = { ...dependencies, ...peerDependencies }
    const forRest = { ...forLibrary, ...devDependencies }
    return pathsOf(tree)
      .flatMap((file) => tree.packageImports(file))
      .filter(({ from, name }) => !(library.has(from) ? forLibrary : forRest)[name])
      .map(({ from, name }) => `${from} imports ${name}`)
  },

  'only the package export of that name needs a peer that users may leave out': (tree) => {
    const always = tree.reachableFrom(EXPORTS.filter((file) => file !== 'proto.ts'))
    return pathsOf(tree)
      .flatMap((file) => tree.packageImports(file))
      .filter(({ from, name }) => always.has(from) && name === '@bufbuild/protobuf')
      .map(({ from, name }) => `${from} imports ${name}`)
  },

  'no file is longer than 400 lines': (tree) =>
    pathsOf(tree).filter(
      (file) => (tree.files.get(file) ?? '').split('\n').length > 401 && !file.includes('/generated/'),
    ),
}

describe('src keeps the rules', () => {
  const root = join(import.meta.dirname, '../..')
  const tree = SourceTree.read(join(root, 'src'))
  const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

  test.each(Object.entries(rules))('%s', (_name, rule) => {
    expect(rule(tree, manifest)).toEqual([])
  })
})

test('every rule notices a source tree that breaks it', () => {
  const tree = new SourceTree({
    'attic/x.ts': '',
    'util/upwards.ts': "import type {\n  Mirror,\n} from '../mirror/mirror.ts'",
    'mirror/sideways.ts': "await import('../compactor/compactor.ts')",
    'mirror/mirror.ts': "import './second.ts'",
    'mirror/second.ts': "/** Both ways. */\nexport { a, type B } from './mirror.ts'\nexport * from './x.ts'\n",
    'compactor/compactor.ts': "// import { y } from 'commander'\nimport pino from 'pino'\n",
    'index.ts': "export * from './library/x.ts'",
    'library/x.ts': "import { z } from 'zod'\nimport 'express/lib/x.js'\nimport './proto/y.ts'",
    'library/proto/y.ts': "import '@bufbuild/protobuf/wkt'",
    'etcd/long.ts': '\n'.repeat(401),
  })
  const manifest = { dependencies: { zod: '1', '@bufbuild/protobuf': '1' }, devDependencies: { express: '1' } }
  expect(Object.values(rules).map((rule) => rule(tree, manifest))).toEqual([
    ['attic/x.ts'],
    ['util/upwards.ts imports mirror/mirror.ts', 'mirror/sideways.ts imports compactor/compactor.ts'],
    ['mirror/mirror.ts', 'mirror/second.ts'],
    ['mirror/second.ts'],
    ['compactor/compactor.ts imports pino', 'library/x.ts imports express'],
    ['compactor/compactor.ts imports pino', 'library/x.ts imports express'],
    ['library/proto/y.ts imports @bufbuild/protobuf'],
    ['etcd/long.ts'],
  ])
})
