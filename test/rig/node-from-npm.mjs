import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.mjs'
import { run } from './run.mjs'

/** The program of one Node release (`'22.19.0'`), installed first when the cache lacks it. */
export async function ensureNode(version, log = console.error) {
  const directory = await cached(
    `node-${version}`,
    async (staging) => {
      const name = `node-${process.platform}-${process.arch}`
      const flags = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
      await run('npm', ['install', '--prefix', staging, ...flags, `${name}@${version}`], {
        log,
        what: `installing Node ${version}`,
        missing: 'Cannot install Node: npm is not there',
      })
      await rename(join(staging, 'node_modules', name, 'bin/node'), join(staging, 'node'))
    },
    log,
  )
  return join(directory, 'node')
}
