// Debian's packages, unpacked and not installed: needs no root and starts no service.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

/** Calls `use` with a directory that holds what the packages install; it is gone afterwards. `what`: for people. */
export async function withDebianPackages(packages, what, log, use) {
  const missing = `Cannot get ${what}: apt-get and dpkg-deb are needed (Debian 12 or a system with its packages)`
  const scratch = await mkdtemp(join(tmpdir(), 'etcd-mirror-rig-'))
  const options = { cwd: scratch, log, missing }
  try {
    await download(packages, what, scratch, options)
    for (const file of await readdir(scratch)) {
      if (!file.endsWith('.deb')) continue
      await run('dpkg-deb', ['-x', file, 'unpacked'], { ...options, what: `unpacking ${file}` })
    }
    return await use(join(scratch, 'unpacked'))
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function download(packages, what, scratch, options) {
  const asMe = ['-o', `APT::Sandbox::User=${userInfo().username}`]
  try {
    await run('apt-get', ['download', ...asMe, ...packages], { ...options, what: `downloading ${what}` })
  } catch (error) {
    if (error.message === options.missing) throw error
    options.log('package lists are missing or old, fetching them')
    await mkdir(join(scratch, 'lists/partial'), { recursive: true })
    await mkdir(join(scratch, 'cache/archives/partial'), { recursive: true })
    const own = [...asMe, '-o', `Dir::State::lists=${scratch}/lists`, '-o', `Dir::Cache=${scratch}/cache`]
    await run('apt-get', ['update', ...own], { ...options, what: 'fetching package lists' })
    await run('apt-get', ['download', ...own, ...packages], { ...options, what: `downloading ${what}` })
  }
}
