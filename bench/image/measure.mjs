// Runs inside of the image, as root of a machine of its own: starts the command as its user and measures it from beside.
// Argument: JSON with `endpoint`, `prefixes` (by number of keys), `runs`, `limitedRuns` and `idleSeconds`. Prints JSON.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const { endpoint, prefixes, runs, limitedRuns, idleSeconds } = JSON.parse(process.argv[2])
const COMMAND = '/opt/etcd-mirror/bin/etcd-mirror.js'
const GROUPS = '/sys/fs/cgroup'
const PORT = 9379
/** As the manifests have it for the kubelet. */
const PROBE_TIMEOUT_MS = 5000
const user = { uid: 65532, gid: 65532 }

const bare = []
const version = []
const firstProbe = []
for (let run = 0; run < runs; run += 1) {
  bare.push(await timeOf('-e', '0'))
  version.push(await timeOf(COMMAND, '--version'))
}
for (let run = 0; run < runs; run += 1) firstProbe.push(await timeOfFirstProbe(prefixes[0]))
const idle = await memoryWhenIdle(prefixes[0])
const limited = []
for (const prefix of prefixes) {
  const syncs = []
  for (let run = 0; run < limitedRuns; run += 1) syncs.push(await limitedSync(prefix))
  limited.push(syncs)
}
console.log(JSON.stringify({ bare, version, firstProbe, idle, limited }))

async function timeOf(...args) {
  const started = performance.now()
  const child = spawn(process.execPath, args, { ...user, stdio: 'ignore' })
  await once(child, 'close')
  return performance.now() - started
}

async function timeOfFirstProbe(prefix) {
  const directory = configure(prefix)
  const started = performance.now()
  const child = start(directory)
  await answered('/livez', 1, child)
  const took = performance.now() - started
  await end(child)
  return took
}

async function memoryWhenIdle(prefix) {
  const child = start(configure(prefix))
  await answered('/readyz', 10, child)
  await sleep(idleSeconds * 1000)
  const text = readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8')
  const bytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024
  await end(child)
  return { rss: bytes('Rss'), anonymous: bytes('Anonymous') }
}

/** 100m of CPU and 128 MiB, as a container has them. */
async function limitedSync(prefix) {
  const groups = limitedGroups()
  const directory = configure(prefix)
  const enter = groups.map((group) => `echo $$ > ${group}/cgroup.procs`).join('; ')
  const exec = `exec chroot --userspec=65532:65532 / ${process.execPath} ${COMMAND} run --config-dir ${directory}`
  const started = performance.now()
  const child = spawn('sh', ['-c', `${enter}; ${exec}`], { stdio: ['ignore', 'ignore', 'inherit'] })
  await answered('/livez', 10, child)
  const firstAnswer = performance.now() - started
  const probing = new AbortController()
  const probes = probeEvery(500, probing.signal)
  await answered('/readyz', 250, child)
  const published = performance.now() - started
  probing.abort()
  const { latencies, failed } = await probes
  await end(child)
  return { firstAnswer, published, latencies, failed }
}

function limitedGroups() {
  const isUnified = existsSync(`${GROUPS}/cgroup.controllers`)
  const settings = isUnified
    ? { '': { 'cpu.max': '10000 100000', 'memory.max': '134217728' } }
    : {
        '/cpu': { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '10000' },
        '/memory': { 'memory.limit_in_bytes': '134217728' },
      }
  return Object.entries(settings).map(([hierarchy, values]) => {
    const group = `${GROUPS}${hierarchy}/k8s.io-bench`
    mkdirSync(group, { recursive: true })
    for (const [name, value] of Object.entries(values)) writeFileSync(`${group}/${name}`, value)
    return group
  })
}

/** A new root each time: nothing of the run before is of use. None is removed: creating files after that would be slow. */
function configure(prefix) {
  const directory = mkdtempSync('/tmp/measured-')
  mkdirSync(`${directory}/mirror`)
  for (const path of [directory, `${directory}/mirror`]) chownSync(path, user.uid, user.gid)
  writeFileSync(`${directory}/etcd.conf`, JSON.stringify({ endpoints: [endpoint] }))
  const target = { files: { root: `${directory}/mirror/app` } }
  writeFileSync(`${directory}/mirror.yaml`, JSON.stringify({ mirrors: [{ name: 'app', prefix, target }] }))
  return directory
}

function start(directory) {
  return spawn(process.execPath, [COMMAND, 'run', '--config-dir', directory], {
    ...user,
    stdio: ['ignore', 'ignore', 'ignore'],
  })
}

async function end(child) {
  if (hasEnded(child)) return
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

/** Throws when the process ends first, as one does that runs out of memory. */
async function answered(path, intervalMs, child) {
  while (!(await isPositive(path))) {
    if (hasEnded(child))
      throw new Error(`It ended with ${child.signalCode ?? child.exitCode} before ${path} was positive`)
    await sleep(intervalMs)
  }
}

function hasEnded(child) {
  return child.exitCode !== null || child.signalCode !== null
}

/** Milliseconds of the probes that were answered, and how many were not. */
async function probeEvery(intervalMs, signal) {
  const latencies = []
  let failed = 0
  while (!signal.aborted) {
    const started = performance.now()
    if (await isPositive('/livez')) latencies.push(performance.now() - started)
    else failed += 1
    await sleep(intervalMs)
  }
  return { latencies, failed }
}

function isPositive(path) {
  return new Promise((resolve) => {
    const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS)
    const request = get({ port: PORT, host: '127.0.0.1', path, agent: false, signal: timeout }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('error', () => resolve(false))
  })
}
