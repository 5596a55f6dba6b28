// The real servers of the tests. Alone: `node test/rig/ensure.mjs` builds what the cache lacks and prints where it is.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cached } from './cache.mjs'
import { etcdFromDebian } from './etcd-from-debian.mjs'
import { etcdFromGo } from './etcd-from-go.mjs'

const etcds = {
  3.4: { version: '3.4.23', build: etcdFromDebian },
  3.5: { version: '3.5.35', build: etcdFromGo },
  3.6: { version: '3.6.16', build: etcdFromGo },
  3.7: { version: '3.7.3', build: etcdFromGo },
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

/** Builds every server that the cache lacks, one after the other. */
export async function ensureServers(log = console.error) {
  const ready = []
  for (const series of Object.keys(etcds)) ready.push(await ensureEtcd(series, log))
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
