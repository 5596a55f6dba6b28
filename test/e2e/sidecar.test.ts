import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster/cluster.ts'
import { usageRow } from '../support/cluster/container-usage.ts'
import { buildImageWithNginx } from '../support/cluster/images.ts'
import { restartKubelet } from '../support/cluster/kubernetes.ts'
import { EtcdOfPods } from './etcd-of-pods.ts'
import { PodNamespace } from './pod-namespace.ts'

const RESYNC_TOTALS = /^etcd_mirror_resync_total\{.*\} (\d+)$/gm
const FLOOD_MIB = 2048

let cluster: Cluster
let etcd: EtcdOfPods

beforeAll(async () => {
  cluster = await startCluster()
  etcd = await EtcdOfPods.start(cluster.machine, 12379)
})
afterAll(async () => {
  console.table(usages)
  await cluster?.[Symbol.asyncDispose]()
})

/** What sidecars have used until now, for people to look at. */
const usages: Record<string, Readonly<Record<string, number>>> = {}

async function recordUsage(what: string, of: PodNamespace, pod: string): Promise<void> {
  usages[what] = usageRow(await of.usage(pod))
}

/** How often a sidecar read everything again. */
async function resyncs(of: PodNamespace, pod: string): Promise<number> {
  const counts = [...(await of.get(pod, 9379, '/metrics')).matchAll(RESYNC_TOTALS)].map(([, count]) => Number(count))
  expect(counts).not.toEqual([])
  return counts.reduce((sum, count) => sum + count)
}

async function namespace(name: string, of = etcd): Promise<PodNamespace> {
  const created = await PodNamespace.create(cluster.machine, of, name)
  await of.put(`${created.prefix}greeting`, 'hello')
  return created
}

test('the image is small, runs as a number, and shows what it is made of', async () => {
  expect(cluster.image.bytesOverBase).toBeLessThan(8e6)
  const inspect = ['buildah', '--root', '/data/storage', '--runroot', '/run/storage', 'inspect', '--type', 'image']
  const { OCIv1 } = JSON.parse(await cluster.machine.exec([...inspect, cluster.image.name]))
  expect(OCIv1.config).toMatchObject({
    User: '65532:65532',
    Labels: { 'org.opencontainers.image.title': 'etcd-mirror', 'org.opencontainers.image.licenses': 'Apache-2.0' },
  })
})

describe.concurrent('the native sidecar', () => {
  const file = 'native-sidecar.yaml'
  const pod = 'native-sidecar'
  const MIRROR_MOUNT = '- { name: mirror, mountPath: /mirror }'
  const greeting = (of: PodNamespace) => of.get(pod, 8080, '/mirror/app/current/greeting')

  test('nginx beside it, under restricted, serves what follows etcd; a changed ConfigMap counts without a restart', async () => {
    const own = await namespace('native')
    await own.apply(file)
    await own.ready(pod)
    expect(await greeting(own)).toBe('hello')
    await etcd.put(`${own.prefix}greeting`, 'hello again')
    await own.eventually(async () => expect(await greeting(own)).toBe('hello again'))
    const command = (name: string) => own.kubectl(['exec', pod, '-c', 'etcd-mirror', '--', 'etcd-mirror', name])
    expect(await command('status')).toMatch(/^app +Following /m)
    expect(await command('check')).toMatch(/^ok +mirror app: 1 keys at revision/m)

    await etcd.put('/config/other/key', 'of the other')
    const mirror = (name: string, prefix: string) => ({ name, prefix, target: { files: { root: `/mirror/${name}` } } })
    const both = { mirrors: [mirror('app', own.prefix), mirror('other', '/config/other/')] }
    await own.configure(JSON.stringify(both))
    await own.eventually(async () => expect(await own.get(pod, 8080, '/mirror/other/current/key')).toBe('of the other'))
    expect((await own.sidecar(pod)).restartCount).toBe(0)

    // Broken, and then restarted: the last accepted configuration goes on.
    await own.configure(JSON.stringify({ mirrors: [{ ...mirror('app', own.prefix), maxStalenes: '1m' }] }))
    await own.eventually(async () => expect((await own.status(pod)).config.lastReload?.result).toBe('error'))
    await own.killSidecar(pod)
    expect((await own.status(pod)).config.usesAcceptedCopy).toBe(true)
    await etcd.put(`${own.prefix}greeting`, 'hello after all')
    await etcd.put('/config/other/key', 'of the other after all')
    await own.eventually(async () => {
      expect(await greeting(own)).toBe('hello after all')
      expect(await own.get(pod, 8080, '/mirror/other/current/key')).toBe('of the other after all')
    })
    expect(await own.isReady(pod)).toBe(true)
  })

  test('etcd away leaves the pod ready with its copy; a killed sidecar resumes where it was, without reading all again', async () => {
    const other = await EtcdOfPods.start(cluster.machine, 22379)
    const own = await namespace('resume', other)
    // Asked so often that the time that etcd is away is long for the probes.
    await own.apply(file, (manifest) =>
      manifest
        .replace(/(\/(livez|readyz), .*periodSeconds:) \d+/g, '$1 1')
        .replace(/(\/readyz.*timeoutSeconds: 5)/, '$1, failureThreshold: 6'),
    )
    await own.ready(pod)
    await other.kill()
    await own.eventually(async () => expect((await own.mirror(pod)).sourceConnected).toBe(false))
    expect(await own.isReady(pod)).toBe(true)
    await own.killSidecar(pod)
    expect(await greeting(own)).toBe('hello')
    const readySince = await own.readySince(pod)

    // Scaled up meanwhile: the new pod waits, and says what for.
    await own.apply(file, (manifest) => manifest.replaceAll('native-sidecar', 'scaled-up'))
    await own.eventually(async () =>
      expect(await own.mirror('scaled-up')).toMatchObject({ published: false, lastError: { reason: 'Unavailable' } }),
    )
    expect(await own.isReady('scaled-up')).toBe(false)
    // With a fallback it does not wait.
    await own.kubectl(['create', 'configmap', 'seed', '--from-literal=greeting=from the fallback'])
    await own.apply('config.yaml', (manifest) =>
      manifest
        .replace('name: etcd-mirror', 'name: seeded')
        .replace('root: /mirror/app }', 'root: /mirror/app, startup: { seedFrom: /seed, seedAfter: 1s } }'),
    )
    await own.apply(file, (manifest) =>
      `${manifest.replaceAll('native-sidecar', 'seeded')}    - { name: seed, configMap: { name: seed } }\n`
        .replace('configMap: { name: etcd-mirror }', 'configMap: { name: seeded }')
        .replace(MIRROR_MOUNT, `${MIRROR_MOUNT}\n        - { name: seed, mountPath: /seed }`),
    )
    await own.ready('seeded')
    const greetingOfSeeded = () => own.get('seeded', 8080, '/mirror/app/current/greeting')
    expect(await greetingOfSeeded()).toBe('from the fallback')
    expect(await own.mirror('seeded')).toMatchObject({ seeded: true, lastError: { reason: 'Unavailable' } })
    expect(await own.readySince(pod)).toBe(readySince)
    expect((await own.sidecar(pod)).restartCount).toBe(1)
    await other.restart()
    await own.ready('scaled-up')
    await other.put(`${own.prefix}greeting`, 'etcd is back')
    const greetingOfScaledUp = () => own.get('scaled-up', 8080, '/mirror/app/current/greeting')
    for (const read of [() => greeting(own), greetingOfSeeded, greetingOfScaledUp]) {
      await own.eventually(async () => expect(await read()).toBe('etcd is back'))
    }
    expect(await resyncs(own, pod)).toBe(0)
    expect((await own.mirror(pod)).lastError).toBe(null)
  })

  test('more under the prefix than fits limit and memory: the copy is held, nothing is evicted or killed', async () => {
    const own = await namespace('flood')
    await own.apply(file)
    await own.ready(pod)
    // This kubelet does not measure emptyDirs: one that is larger than its sizeLimit would be evicted elsewhere.
    const volumeBytes = await mostWhile(etcd.putMebibytes(`${own.prefix}flood/`, FLOOD_MIB), () =>
      own.emptyDirBytes(pod, 'mirror'),
    )
    await own.eventually(async () => expect((await own.mirror(pod)).lastError?.reason).toBe('LimitExceeded'))
    expect(await greeting(own)).toBe('hello')
    expect(await own.sidecar(pod)).toMatchObject({ restartCount: 0, ready: true })
    expect((await own.pod(pod)).phase).toBe('Running')
    expect(volumeBytes).toBeLessThan(256 * 2 ** 20)
    await recordUsage(`after ${FLOOD_MIB} MiB`, own, pod)
    // What fits stays, so that the deletion of what was published is no accident.
    await etcd.etcdctl(['del', `${own.prefix}flood/0051`, `${own.prefix}flood0`])
    await etcd.put(`${own.prefix}greeting`, 'dry again')
    await own.eventually(async () => expect(await greeting(own)).toBe('dry again'))
  })

  test('a sidecar that is killed for its memory goes on where it was, without reading or writing all again', async () => {
    const own = await namespace('memory')
    await etcd.putMany(`${own.prefix}many/`, 1000)
    await own.apply(file)
    await own.ready(pod)
    await recordUsage('1000 small keys, just ready', own, pod)
    await own.exhaustMemory(pod)
    expect((await own.sidecar(pod)).lastState?.terminated?.reason).toBe('OOMKilled')
    expect(await greeting(own)).toBe('hello')
    await own.eventually(async () => expect((await own.mirror(pod)).sourceConnected).toBe(true))
    expect((await own.mirror(pod)).lastPublishedAt).toBe(null)
    await etcd.put(`${own.prefix}greeting`, 'hello again')
    await own.eventually(async () => expect(await greeting(own)).toBe('hello again'))
    expect(await resyncs(own, pod)).toBe(0)
    await recordUsage('1000 small keys, resumed', own, pod)
  })

  test('docs/image.md: an image with nginx refuses a file that nginx would not start with', async () => {
    const image = await buildImageWithNginx(cluster.machine)
    const own = await namespace('validator')
    const names = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const directories = names.map((name) => `${name}_temp_path /tmp/${name};`).join(' ')
    const put = async (server: string) => {
      const config = `pid /tmp/pid; events {} http { access_log off; ${directories} server { ${server} } }`
      await etcd.put(`${own.prefix}nginx.conf`, config)
    }
    const published = () => own.get(pod, 8080, '/mirror/app/current/nginx.conf')
    await put('listen 8080;')
    const command = ['sh', '-c', 'exec nginx -t -q -c "$PWD/nginx.conf"']
    const files = { root: '/mirror/app', validate: [{ files: ['nginx.conf'], command }] }
    await own.configure(JSON.stringify({ mirrors: [{ name: 'app', prefix: own.prefix, target: { files } }] }))
    await own.apply(file, (manifest) =>
      manifest
        .replace('image: etcd-mirror:0.1.0', `image: ${image}`)
        .replace(MIRROR_MOUNT, `${MIRROR_MOUNT}\n        - { name: tmp, mountPath: /tmp }`),
    )
    await own.ready(pod)
    expect(await published()).toContain('listen 8080;')
    await put('listen nowhere;')
    await own.eventually(async () => expect((await own.mirror(pod)).lastError?.reason).toBe('ValidationFailed'))
    expect(await published()).toContain('listen 8080;')
    await put('listen 8081;')
    await own.eventually(async () => expect(await published()).toContain('listen 8081;'))
  })

  test('another user than the image’s does as well', async () => {
    const own = await namespace('user')
    await own.apply(file, (manifest) => manifest.replaceAll(': 65532', ': 1000660000'))
    await own.ready(pod)
    expect(await greeting(own)).toBe('hello')
  })
})

test.concurrent('the classic sidecar: the application starts with a copy, which follows etcd', async () => {
  const own = await namespace('classic')
  await own.apply('classic-sidecar.yaml')
  await own.ready('classic-sidecar')
  await etcd.put(`${own.prefix}greeting`, 'hello again')
  await own.eventually(async () =>
    expect(await own.kubectl(['logs', 'classic-sidecar', '-c', 'app'])).toMatch(/^hello\n(.*\n)?hello again\n/s),
  )
})

test.concurrent('the init container: the application has the state of its start, and keeps it', async () => {
  const own = await namespace('init')
  await own.apply('init-container.yaml')
  await own.ready('init-container')
  // It shows when what comes too late has come.
  await own.apply('classic-sidecar.yaml')
  await own.ready('classic-sidecar')
  await etcd.put(`${own.prefix}greeting`, 'too late')
  await own.eventually(async () =>
    expect(await own.kubectl(['logs', 'classic-sidecar', '-c', 'app'])).toMatch(/^too late$/m),
  )
  expect(await own.kubectl(['exec', 'init-container', '-c', 'app', '--', 'cat', '/mirror/app/current/greeting'])).toBe(
    'hello',
  )
})

test.concurrent('a Job with a sidecar completes', async () => {
  const own = await namespace('job')
  await own.apply('job.yaml')
  await own.kubectl(['wait', '--for=condition=complete', '--timeout=240s', 'job/job'])
  expect(await own.kubectl(['logs', 'job/job', '-c', 'app'])).toBe('hello')
  const exitCode = 'jsonpath={.items[0].status.initContainerStatuses[0].state.terminated.exitCode}'
  expect(await own.kubectl(['get', 'pods', '-l', 'job-name=job', '-o', exitCode])).toBe('0')
})

test.concurrent('a volume with fsGroup keeps its files over two restarts: none is written again', async () => {
  const own = await namespace('volume')
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'local',
      local: { path: '/data/disk' },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['127.0.0.1'] }] },
          ],
        },
      },
    },
  }
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'disk' },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'local', resources: { requests: { storage: '1Gi' } } },
  }
  await cluster.machine.exec(['mkdir', '/data/disk'])
  await own.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [volume, claim] }))
  const onDisk = (manifest: string) =>
    manifest.replace('emptyDir: { sizeLimit: 256Mi }', 'persistentVolumeClaim: { claimName: disk }')
  const files = () =>
    cluster.machine.exec([
      'bash',
      '-c',
      'cd /data/disk/app/current/ && find . -type f -printf "%P %i %T@ %m %g\\n" | sort',
    ])
  await etcd.putMany(`${own.prefix}many/`, 300)
  await own.apply('native-sidecar.yaml', onDisk)
  await own.ready('native-sidecar')
  const first = await files()
  expect(first.split('\n').filter(Boolean)).toHaveLength(301)
  for (let restart = 1; restart <= 2; restart++) {
    await own.kubectl(['delete', 'pod', 'native-sidecar', '--grace-period=5'])
    await own.apply('native-sidecar.yaml', onDisk)
    await own.ready('native-sidecar')
    await own.eventually(async () => expect((await own.mirror('native-sidecar')).sourceConnected).toBe(true))
    expect(withoutMode(await files())).toBe(withoutMode(first))
    expect((await own.mirror('native-sidecar')).lastPublishedAt).toBe(null)
  }
})

test('a kubelet that is restarted disturbs neither the sidecar nor its copy', async () => {
  const own = await namespace('kubelet')
  await own.apply('native-sidecar.yaml')
  const { initContainerStatuses: before } = await own.ready('native-sidecar')
  await restartKubelet(cluster.machine)
  await etcd.put(`${own.prefix}greeting`, 'hello again')
  const greeting = () => own.get('native-sidecar', 8080, '/mirror/app/current/greeting')
  await own.eventually(async () => expect(await greeting()).toBe('hello again'))
  const { initContainerStatuses: after } = await own.ready('native-sidecar')
  expect(after?.map(({ containerID }) => containerID)).toEqual(before?.map(({ containerID }) => containerID))
})

/** The kubelet gives files of a volume to the group, which is no rewriting. */
function withoutMode(files: string): string {
  return files.replace(/ \d+ \d+$/gm, '')
}

/** The largest of what `measure` finds again and again until the work is done. */
async function mostWhile(work: Promise<unknown>, measure: () => Promise<number>): Promise<number> {
  let isDone = false
  const end = () => {
    isDone = true
  }
  work.then(end, end)
  let most = 0
  while (!isDone) {
    most = Math.max(most, await measure())
    await sleep(500)
  }
  await work
  return most
}
