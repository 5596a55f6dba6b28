// etcd 3.4 from Debian's packages, unpacked and not installed: needs no root and starts no service.
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

const noApt = 'Cannot get etcd 3.4: apt-get and dpkg-deb are needed (Debian 12 or a system with its packages)'

/** Fills `directory` with `etcd` and `etcdctl`; fails when the packages hold another version than `version`. */
export async function etcdFromDebian(directory, version, log) {
  const scratch = await mkdtemp(join(tmpdir(), 'etcd-mirror-rig-'))
  try {
    await download(scratch, version, log)
    for (const file of await readdir(scratch)) {
      if (!file.endsWith('.deb')) continue
      await run('dpkg-deb', ['-x', file, 'unpacked'], { cwd: scratch, log, what: `unpacking ${file}`, missing: noApt })
    }
    for (const binary of ['etcd', 'etcdctl']) {
      await copyFile(join(scratch, 'unpacked/usr/bin', binary), join(directory, binary))
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
  const found = await run(join(directory, 'etcd'), ['--version'], { log, what: 'asking etcd for its version' })
  if (!found.includes(`etcd Version: ${version}`)) {
    throw new Error(`Cannot use Debian's etcd: wanted ${version}, got ${found.split('\n')[0]}`)
  }
}

async function download(scratch, version, log) {
  const options = { cwd: scratch, log, missing: noApt }
  const packages = ['etcd-server', 'etcd-client']
  const asMe = ['-o', `APT::Sandbox::User=${userInfo().username}`]
  try {
    await run('apt-get', ['download', ...asMe, ...packages], { ...options, what: `downloading etcd ${version}` })
  } catch (error) {
    if (error.message === noApt) throw error
    log('package lists are missing or old, fetching them')
    await mkdir(join(scratch, 'lists/partial'), { recursive: true })
    await mkdir(join(scratch, 'cache/archives/partial'), { recursive: true })
    const own = [...asMe, '-o', `Dir::State::lists=${scratch}/lists`, '-o', `Dir::Cache=${scratch}/cache`]
    await run('apt-get', ['update', ...own], { ...options, what: 'fetching package lists' })
    await run('apt-get', ['download', ...own, ...packages], { ...options, what: `downloading etcd ${version}` })
  }
}
