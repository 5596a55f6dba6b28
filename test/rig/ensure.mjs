// The real servers of the tests. Alone: `node test/rig/ensure.mjs` builds what the cache lacks and prints where it is.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cached } from './cache.mjs'
import { withDebianPackages } from './debian-packages.mjs'
import { etcdFromDebian } from './etcd-from-debian.mjs'
import { etcdFromGo } from './etcd-from-go.mjs'
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

/** Builds every server that the cache lacks, one after the other. */
export async function ensureServers(log = console.error) {
  const ready = []
  for (const series of Object.keys(etcds)) ready.push(await ensureEtcd(series, log))
  await ensureNginx(log)
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
