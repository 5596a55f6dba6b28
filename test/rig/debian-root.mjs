// A root directory of Debian packages, unpacked and not installed: needs no root and runs none of their scripts.
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

const noApt = 'Cannot unpack packages: apt-get and dpkg-deb are needed (Debian 12 or a system with its packages)'

/** What scripts of packages would write. */
const FILES = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'etc/hosts': '127.0.0.1 localhost\n',
}

/** Unpacks the packages and everything that they depend on below `directory`, as a system of its own. */
export async function debianRoot(directory, packages, log) {
  const scratch = await mkdtemp(join(tmpdir(), 'etcd-mirror-rig-'))
  try {
    await download(scratch, packages, log)
    const archives = join(scratch, 'cache/archives')
    const names = (await readdir(archives)).filter((name) => name.endsWith('.deb'))
    for (const name of names) {
      await run('dpkg-deb', ['-x', join(archives, name), directory], { log, what: `unpacking ${name}`, missing: noApt })
    }
    for (const name of ['etc', 'root', 'tmp', 'run', 'proc', 'sys', 'dev', 'var/lib']) {
      await mkdir(join(directory, name), { recursive: true })
    }
    await chmod(join(directory, 'tmp'), 0o1777)
    for (const [name, text] of Object.entries(FILES)) await writeFile(join(directory, name), text)
    // A package that is configured makes this one.
    await symlink('dash', join(directory, 'bin/sh')).catch(() => undefined)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function download(scratch, packages, log) {
  await mkdir(join(scratch, 'cache/archives/partial'), { recursive: true })
  await writeFile(join(scratch, 'status'), '')
  const options = { cwd: scratch, log, missing: noApt }
  const own = [
    ...['-o', `APT::Sandbox::User=${userInfo().username}`, '-o', 'Debug::NoLocking=1'],
    ...['-o', `Dir::Cache=${scratch}/cache`, '-o', `Dir::State::status=${scratch}/status`],
  ]
  const install = ['install', '-y', '--download-only', '--no-install-recommends', ...packages]
  try {
    await run('apt-get', [...own, ...install], { ...options, what: `downloading ${packages.length} packages` })
  } catch (error) {
    if (error.message === noApt) throw error
    log('package lists are missing or old, fetching them')
    await mkdir(join(scratch, 'lists/partial'), { recursive: true })
    const lists = [...own, '-o', `Dir::State::lists=${scratch}/lists`]
    await run('apt-get', [...lists, 'update'], { ...options, what: 'fetching package lists' })
    await run('apt-get', [...lists, ...install], { ...options, what: `downloading ${packages.length} packages` })
  }
}
