// The real servers of the tests. Alone: `node test/rig/ensure.mjs` builds what the cache lacks and prints where it is.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cached } from './cache.mjs'
import { withDebianPackages } from './debian-packages.mjs'
import { debianRoot } from './debian-root.mjs'
import { etcdFromDebian } from './etcd-from-debian.mjs'
import { etcdFromGo } from './etcd-from-go.mjs'
import { helmFromGo } from './helm-from-go.mjs'
import { kubernetesFromGo } from './kubernetes-from-go.mjs'

const etcds = {
  3.4: { version: '3.4.23', build: etcdFromDebian },
  3.5: { version: '3.5.35', build: etcdFromGo },
  3.6: { version: '3.6.16', build: etcdFromGo },
  3.7: { version: '3.7.3', build: etcdFromGo },
}

/** Oldest and newest supported minor. */
const kubernetes = {
  1.34: { patch: '1.34.4', programs: ['kube-apiserver'] },
  1.37: { patch: '1.37.2', programs: ['kube-apiserver', 'kubectl', 'kube-controller-manager'] },
}

/** What the node of a cluster needs beside the newest Kubernetes' own programs. */
const node = { patch: '1.37.2', programs: ['kubelet', 'kube-scheduler', 'kube-proxy'] }

const HELM = '3.22.0'

/** Systems of Debian packages, each a directory; another list of packages is another number. */
const roots = {
  machine: {
    number: 1,
    packages: [
      ...['bash', 'coreutils', 'util-linux', 'mount', 'procps', 'findutils', 'grep', 'sed', 'kmod', 'tini'],
      ...['containerd', 'runc', 'buildah', 'containernetworking-plugins', 'ca-certificates'],
      ...['iproute2', 'iptables', 'nftables', 'conntrack'],
    ],
  },
  'node-image': { number: 1, packages: ['libstdc++6', 'dash', 'coreutils', 'ca-certificates', 'tini'] },
  nginx: { number: 1, packages: ['nginx-light', 'dash', 'coreutils'] },
  busybox: { number: 1, packages: ['busybox-static', 'tini'] },
}

/** The programs of one etcd, built first when the cache lacks them. `series` is such as `'3.6'`. */
export async function ensureEtcd(series, log = console.error) {
  const { version, build } = etcds[series]
  const directory = await cached(
    `etcd-${version}`,
    async (staging) => {
      const started = Date.now()
      log(`building etcd ${version} (once on this machine)`)
      await build(staging, version, log)
      log(`etcd ${version} is ready after ${Math.round((Date.now() - started) / 1000)} s`)
    },
    log,
  )
  return {
    version,
    etcd: join(directory, 'etcd'),
    etcdctl: join(directory, 'etcdctl'),
    etcdutl: join(directory, 'etcdutl'),
  }
}

/** The directory of one Kubernetes' programs, built first when the cache lacks them. `minor` is `'1.34'` or `'1.37'`. */
export async function ensureKubernetes(minor, log = console.error) {
  const { patch: version, programs } = kubernetes[minor]
  const directory = await cached(
    `kubernetes-${version}`,
    async (staging) => {
      const started = Date.now()
      log(`building Kubernetes ${version} (once on this machine, 5 to 10 minutes)`)
      await kubernetesFromGo(staging, version, programs, log)
      log(`Kubernetes ${version} is ready after ${Math.round((Date.now() - started) / 1000)} s`)
    },
    log,
  )
  return { version, directory }
}

/** The directory of the programs that make a node of a cluster, built first when the cache lacks them. */
export async function ensureKubernetesNode(log = console.error) {
  const { patch: version, programs } = node
  return await cached(
    `kubernetes-node-${version}`,
    async (staging) => {
      log(`building the node's programs of Kubernetes ${version} (once on this machine, 2 to 5 minutes)`)
      await kubernetesFromGo(staging, version, programs, log)
    },
    log,
  )
}

/** The directory of a system of Debian packages, unpacked first when the cache lacks it. */
export async function ensureRoot(name, log = console.error) {
  const { number, packages } = roots[name]
  return await cached(
    `root-${name}-${number}`,
    async (staging) => {
      log(`unpacking the packages of ${name} (once on this machine)`)
      await debianRoot(staging, packages, log)
    },
    log,
  )
}

/** Everything that a whole cluster is made of. */
export async function ensureCluster(log = console.error) {
  await ensureEtcd('3.6', log)
  await ensureKubernetes('1.37', log)
  await ensureKubernetesNode(log)
  await ensureHelm(log)
  for (const name of Object.keys(roots)) await ensureRoot(name, log)
}

/** The path of nginx from Debian's packages, fetched first when the cache lacks it. */
export async function ensureNginx(log = console.error) {
  const directory = await cached(
    'nginx-debian',
    (staging) =>
      withDebianPackages(['nginx'], 'nginx', log, (unpacked) =>
        copyFile(join(unpacked, 'usr/sbin/nginx'), join(staging, 'nginx')),
      ),
    log,
  )
  return join(directory, 'nginx')
}

/** The path of helm, built first when the cache lacks it. */
export async function ensureHelm(log = console.error) {
  const directory = await cached(
    `helm-${HELM}`,
    async (staging) => {
      const started = Date.now()
      log(`building helm ${HELM} (once on this machine, 1 to 3 minutes)`)
      await helmFromGo(staging, HELM, log)
      log(`helm ${HELM} is ready after ${Math.round((Date.now() - started) / 1000)} s`)
    },
    log,
  )
  return join(directory, 'helm')
}

/** Builds every server that the cache lacks, one after the other. */
export async function ensureServers(log = console.error) {
  const ready = []
  for (const series of Object.keys(etcds)) ready.push(await ensureEtcd(series, log))
  await ensureNginx(log)
  await ensureHelm(log)
  for (const minor of Object.keys(kubernetes)) await ensureKubernetes(minor, log)
  return ready
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    for (const { version, etcd } of await ensureServers()) console.log(`etcd ${version}  ${etcd}`)
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
