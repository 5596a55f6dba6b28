// The cache of real servers: one directory per name and version, complete or absent.
import { mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Where the servers are kept: `$ETCD_MIRROR_RIG_CACHE`, else `~/.cache/etcd-mirror-rig`. */
export function cacheRoot() {
  return process.env.ETCD_MIRROR_RIG_CACHE || join(homedir(), '.cache', 'etcd-mirror-rig')
}

/**
 * The cached directory of that name, built first if it is absent. `build(directory)` fills an empty directory, which
 * gets its name by a rename: what is in the cache is complete. Only one process builds a name at a time.
 */
export async function cached(name, build, log) {
  const directory = join(cacheRoot(), name)
  if (await exists(directory)) return directory
  await mkdir(cacheRoot(), { recursive: true })
  const release = await lock(`${directory}.lock`, name, log)
  try {
    if (!(await exists(directory))) await buildAndRename(directory, build)
    return directory
  } finally {
    await release()
  }
}

async function buildAndRename(directory, build) {
  const staging = await mkdtemp(`${directory}.building-`)
  try {
    await build(staging)
    await rename(staging, directory).catch(ignore('ENOTEMPTY'))
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

async function lock(path, name, log) {
  let isWaitShown = false
  for (;;) {
    const file = await open(path, 'wx').catch(ignore('EEXIST'))
    if (file !== undefined) {
      await file.writeFile(String(process.pid))
      await file.close()
      return () => rm(path, { force: true })
    }
    if (await isAbandoned(path)) {
      // Two processes may both take an abandoned lock over: harmless, the rename above lets one of them win.
      await rm(path, { force: true })
      continue
    }
    if (!isWaitShown) log(`${name}: another process builds it, waiting`)
    isWaitShown = true
    await sleep(500)
  }
}

async function isAbandoned(path) {
  const pid = Number(await readFile(path, 'utf8').catch(ignore('ENOENT')))
  // An empty file is a lock whose owner has not written its pid yet, or died just there: a minute tells them apart.
  if (!pid) return Date.now() - ((await stat(path).catch(ignore('ENOENT')))?.mtimeMs ?? Date.now()) > 60_000
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

function exists(path) {
  return stat(path).then(
    () => true,
    (error) => ignore('ENOENT')(error) ?? false,
  )
}

function ignore(code) {
  return (error) => {
    if (error.code !== code) throw error
    return undefined
  }
}
