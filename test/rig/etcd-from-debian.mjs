// etcd 3.4 from Debian's packages.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withDebianPackages } from './debian-packages.mjs'
import { run } from './run.mjs'

/** Fills `directory` with `etcd` and `etcdctl`; fails when the packages hold another version than `version`. */
export async function etcdFromDebian(directory, version, log) {
  await withDebianPackages(['etcd-server', 'etcd-client'], `etcd ${version}`, log, async (unpacked) => {
    for (const binary of ['etcd', 'etcdctl']) {
      await copyFile(join(unpacked, 'usr/bin', binary), join(directory, binary))
    }
  })
  const found = await run(join(directory, 'etcd'), ['--version'], { log, what: 'asking etcd for its version' })
  if (!found.includes(`etcd Version: ${version}`)) {
    throw new Error(`Cannot use Debian's etcd: wanted ${version}, got ${found.split('\n')[0]}`)
  }
}
