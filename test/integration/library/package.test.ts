import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureNode } from '../../rig/node-from-npm.mjs'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { makeTempDir, type TempDir } from '../../support/temp-dir.ts'

const exec = promisify(execFile)
const PROJECT = join(import.meta.dirname, '../../..')
const EXAMPLES = join(PROJECT, 'docs/examples')
/** The oldest Node that the package takes, and the one it is developed with. */
const NODES = ['22.19.0', process.versions.node]

/** Programs by whether they need a peer that has to be installed beside the package. */
const examples = { alone: [] as string[], withPeers: [] as string[] }
/** Made by the compiler of protocol buffers; imported by programs. */
const generated: string[] = []
for (const name of (await readdir(EXAMPLES)).filter((each) => each.endsWith('.ts'))) {
  const needsPeers = /from '(etcd-mirror\/proto|@bufbuild)/.test(await readFile(join(EXAMPLES, name), 'utf8'))
  if (name.endsWith('_pb.ts')) generated.push(name)
  else (needsPeers ? examples.withPeers : examples.alone).push(name)
}

/** Of a strict user who checks the declarations of packages as well. */
const TSCONFIG = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    outDir: 'out',
    rewriteRelativeImportExtensions: true,
  },
  include: ['*.ts'],
}

/** A project of a user, outside the repository: the packed package, what it depends on, and only the peers named. */
async function install(path: string, tarball: string, programs: readonly string[], peers: readonly string[]) {
  const { devDependencies } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'))
  await mkdir(path)
  await writeFile(join(path, 'package.json'), JSON.stringify({ type: 'module', private: true }))
  await writeFile(join(path, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  for (const name of programs) await cp(join(EXAMPLES, name), join(path, name))
  const others = ['@types/node', ...peers].map((name) => `${name}@${devDependencies[name]}`)
  await exec(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', tarball, ...others],
    {
      cwd: path,
    },
  )
}

/** What the compiler has to say. */
async function compile(path: string): Promise<string> {
  const tsc = join(PROJECT, 'node_modules/.bin/tsc')
  return await exec(tsc, ['-p', '.'], { cwd: path }).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  )
}

/** The lines behind "Prints:" at the end of a program. */
async function promised(name: string): Promise<readonly string[]> {
  const text = await readFile(join(EXAMPLES, name), 'utf8')
  const lines = text.slice(text.lastIndexOf('\n// Prints:\n')).trim().split('\n').slice(1)
  return lines.map((line) => line.slice('// '.length))
}

let etcd: EtcdServer
let directory: TempDir
let tarball: string

beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
  directory = await makeTempDir('package')
  const { stdout } = await exec('npm', ['pack', '--json', '--pack-destination', directory.path], { cwd: PROJECT })
  const [{ filename }] = JSON.parse(stdout)
  tarball = join(directory.path, filename)
})

afterAll(async () => {
  await etcd[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

describe.each([
  { title: 'without optional peers', programs: examples.alone, peers: [] },
  { title: 'with optional peers', programs: examples.withPeers, peers: ['@bufbuild/protobuf'] },
])('the packed package in a project of a user, $title', ({ title, programs, peers }) => {
  let path: string

  beforeAll(async () => {
    path = join(directory.path, title.replaceAll(' ', '-'))
    await install(path, tarball, peers.length > 0 ? [...programs, ...generated] : programs, peers)
  })

  test('has no peer that was not asked for', async () => {
    const installed = await readdir(join(path, 'node_modules'))
    const scopes = ['etcd3', '@bufbuild'].filter((name) => installed.includes(name))
    expect(scopes).toEqual(peers.length > 0 ? ['@bufbuild'] : [])
  })

  test('compiles every example', async () => {
    expect(await compile(path)).toBe('')
  })

  test.each(NODES.flatMap((node) => programs.map((name) => ({ node, name }))))(
    '$name does what it says on Node $node',
    async ({ node, name }) => {
      const program = node === process.versions.node ? process.execPath : await ensureNode(node)
      const compiled = join(path, 'out', name.replace(/ts$/, 'js'))
      const env = { ...process.env, ETCD_ENDPOINTS: etcd.endpoint, NODE_OPTIONS: '' }
      const { stdout, stderr } = await exec(program, [compiled], { cwd: path, env })
      expect(stderr).toBe('')
      expect(stdout.trimEnd().split('\n')).toEqual(await promised(name))
    },
  )
})

test('there is an example of every task', () => {
  const alone = ['broker.ts', 'election.ts', 'key-value-sync.ts', 'plugin.ts', 'put-get.ts', 'txn.ts', 'watch.ts']
  expect(examples.alone).toEqual(expect.arrayContaining(alone))
  expect(examples.withPeers).toContain('proto.ts')
})
