// npm run quickstart: a real etcd, a small tree in it, and a mirror that follows it before your eyes.
// `-- --exit` ends by itself: exit code 0 when the tree followed every change, else 1.
// With ETCD_ENDPOINTS set it uses that etcd, below a prefix of its own that it removes at the end.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { bootstrap } from './bootstrap.mjs'
import { build } from './build.mjs'
import { bold, cyan, dim, fail, green, step } from './console.mjs'
import { readTree, treeLines } from './mirrored-tree.mjs'

const [flag, ...rest] = process.argv.slice(2)
if (rest.length > 0 || ![undefined, '--exit'].includes(flag)) fail('npm run quickstart takes one flag: -- --exit')
await bootstrap(import.meta.url)

const { Etcd3 } = await import('etcd3')
const { startEtcd } = await import('../test/support/etcd-server.ts')
const { ensureEtcd } = await import('../test/rig/ensure.mjs')
const { freePort } = await import('../test/support/free-port.ts')
const { startMirror } = await import('../test/support/mirror-process.ts')
const { makeTempDir } = await import('../test/support/temp-dir.ts')

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stopped.abort())
const cleanup = new AsyncDisposableStack()
try {
  await quickstart()
} catch (error) {
  if (!stopped.signal.aborted) {
    process.exitCode = 1
    console.error(`\n${error.message}`)
  }
} finally {
  await cleanup.disposeAsync()
}
process.exit()

async function quickstart() {
  await step('building etcd-mirror', build)
  const etcd = await step('etcd', getEtcd)

  title(`A small tree in etcd, at ${etcd.endpoints[0]}`)
  const files = {
    greeting: 'hello',
    'database/host': 'db.internal',
    'database/port': '5432',
    'features/dark-mode': 'off',
  }
  for (const [key, value] of Object.entries(files)) {
    const { header } = await etcd.client.put(etcd.prefix + key).value(value)
    action(`put ${etcd.prefix}${key} ${value}`, header.revision)
  }

  const mirror = await startTheMirror(etcd)
  let tree = await mirror.follow(files)
  show(tree)

  title('Changes in etcd, and the tree that follows')
  for (const change of changes(etcd)) {
    const { header } = await change.send()
    action(change.text, header.revision)
    Object.assign(files, change.puts)
    for (const key of change.deletes ?? []) delete files[key]
    const next = await mirror.follow(files, Number(header.revision))
    show(next, tree)
    tree = next
  }

  if (flag === '--exit') return console.log(green('\nThe tree followed every change.'))
  lookAround(etcd, mirror)
  await mirror.showChanges(tree)
}

async function getEtcd() {
  const given = process.env.ETCD_ENDPOINTS?.split(',').map((endpoint) => endpoint.trim())
  if (given !== undefined) {
    const prefix = `/quickstart-${process.pid}/`
    const client = connect(given)
    await client.get(prefix).catch((error) => {
      throw new Error(`Cannot use the etcd at ${given.join(', ')} (ETCD_ENDPOINTS): ${error.message}`)
    })
    cleanup.defer(async () => await client.delete().prefix(prefix))
    return { endpoints: given, prefix, client, etcdctl: 'etcdctl' }
  }
  const { etcdctl } = await ensureEtcd('3.6', (line) => console.log(`  ${line}`))
  const server = cleanup.use(await startEtcd({ version: '3.6' }))
  return { endpoints: [server.endpoint], prefix: '/config/app/', client: connect([server.endpoint]), etcdctl }
}

function connect(hosts) {
  const client = new Etcd3({ hosts, dialTimeout: 5000 })
  cleanup.defer(() => client.close())
  return client
}

function changes({ client, prefix }) {
  const put = (key, value) => client.put(prefix + key).value(value)
  return [
    {
      text: `put ${prefix}greeting hello again`,
      send: () => put('greeting', 'hello again'),
      puts: { greeting: 'hello again' },
    },
    {
      text: 'one transaction: both database keys',
      send: () =>
        client
          .if(`${prefix}greeting`, 'Version', '>', 0)
          .then(put('database/host', 'db-2.internal'), put('database/port', '5433'))
          .commit(),
      puts: { 'database/host': 'db-2.internal', 'database/port': '5433' },
    },
    {
      text: `delete ${prefix}features/dark-mode`,
      send: () => client.delete().key(`${prefix}features/dark-mode`).exec(),
      deletes: ['features/dark-mode'],
    },
  ]
}

async function startTheMirror({ endpoints, prefix }) {
  const directory = cleanup.use(await makeTempDir('quickstart')).path
  const [config, root, bind] = [`${directory}/config`, `${directory}/mirror`, `127.0.0.1:${await freePort()}`]
  const isPlain = endpoints.every((endpoint) => !endpoint.startsWith('https:'))
  const etcdConf = [`endpoints: [${endpoints.join(', ')}]`, ...(isPlain ? ['insecure-transport: true'] : [])]
  const mirrorYaml = ['mirrors:', '  - name: app', `    prefix: ${prefix}`, `    target: { files: { root: ${root} } }`]
  await mkdir(config)
  await writeFile(join(config, 'etcd.conf'), `${etcdConf.join('\n')}\n`)
  await writeFile(join(config, 'mirror.yaml'), `${mirrorYaml.join('\n')}\n`)

  title('The mirror')
  for (const [name, lines] of Object.entries({ 'etcd.conf': etcdConf, 'mirror.yaml': mirrorYaml })) {
    console.log(`  ${dim(name)}`)
    for (const line of lines) console.log(`    ${line}`)
  }
  const args = ['run', '--config-dir', config, '--http-bind', bind]
  console.log(`  ${dim('$')} etcd-mirror ${args.join(' ')}`)
  const running = startMirror(args)
  cleanup.defer(async () => {
    const patience = setTimeout(() => running.kill('SIGKILL'), 15_000)
    await running.kill('SIGTERM')
    clearTimeout(patience)
  })
  return followerOf(running, root, bind)
}

function followerOf(running, root, bind) {
  let hasEnded = false
  running.exit.then(() => {
    hasEnded = true
  })
  const assertRunning = () => {
    if (hasEnded) throw new Error(`The mirror has ended. It said:\n${running.output}`)
  }
  const pause = () => sleep(20, undefined, { signal: stopped.signal })
  return {
    root,
    bind,
    /** Resolves with the tree once it is at `revision` or later and holds exactly `files`. */
    async follow(files, revision = 0) {
      for (const deadline = Date.now() + 30_000; Date.now() < deadline; await pause()) {
        assertRunning()
        const tree = await readTree(root)
        if (tree && tree.revision >= revision && isDeepStrictEqual(tree.files, sorted(files))) return tree
      }
      throw new Error(`The tree did not follow within 30 s. The mirror said:\n${running.output}`)
    },
    async showChanges(tree) {
      for (let before = tree; ; await pause()) {
        assertRunning()
        const now = await readTree(root)
        if (now === undefined || now.name === before.name) continue
        show(now, before)
        before = now
      }
    },
  }
}

function sorted(files) {
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function lookAround({ endpoints, prefix, etcdctl }, { root, bind }) {
  title('Look around; changes you make appear here')
  console.log(`  files    find ${root}/current/ -type f`)
  console.log(`  probes   curl http://${bind}/readyz?verbose`)
  console.log(`  status   curl http://${bind}/status`)
  console.log(`  metrics  curl http://${bind}/metrics`)
  console.log(`  write    ${etcdctl} --endpoints ${endpoints.join(',')} \\`)
  console.log(`             put ${prefix}greeting 'your words'`)
  console.log(dim('  Ctrl-C ends everything and removes it.\n'))
}

function title(text) {
  console.log(`\n${bold(text)}`)
}

function action(text, revision) {
  console.log(`  ${cyan(text.padEnd(48))} ${dim(`revision ${revision}`)}`)
}

function show(tree, before) {
  console.log(treeLines(tree, before).join('\n'))
}
