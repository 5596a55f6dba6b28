// Makes a clone ready to work in: packages as the lockfile says, and the pinned Node. Node 20 runs this file without
// node_modules; whatever calls it goes on under the pinned Node.
import { spawnSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand, runForwardingSignals } from './commands.mjs'
import { fail, step } from './console.mjs'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = join(root, 'node_modules/.bin')
const pinnedNode = join(bin, 'node')

/**
 * Call it first, with `import.meta.url`. Returns only in a process that runs under the pinned Node; any other process
 * starts the calling script again under it and ends with its exit code.
 */
export async function bootstrap(scriptUrl) {
  if (!isInstalled()) await step('installing packages', install).catch((error) => fail(error.message))
  assertPinnedNode()
  process.env.PATH = [bin, ...otherPathEntries()].join(delimiter)
  if (realpathSync(process.execPath) === realpathSync(pinnedNode)) return
  process.exit(await runForwardingSignals(pinnedNode, [fileURLToPath(scriptUrl), ...process.argv.slice(2)]))
}

async function install() {
  // npm must not run on a node binary that it is about to delete.
  const env = { ...process.env, PATH: otherPathEntries().join(delimiter) }
  await runCommand('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, env, quiet: true })
}

function otherPathEntries() {
  return (process.env.PATH ?? '').split(delimiter).filter((entry) => entry !== bin)
}

/** npm writes node_modules/.package-lock.json last: it says what is really there. */
function isInstalled() {
  const wanted = lockedPackages('package-lock.json')
  const present = lockedPackages('node_modules/.package-lock.json')
  if (present === undefined) return false
  const isAsWanted = ([path, { version, optional }]) => (present[path] ? present[path].version === version : optional)
  return Object.entries(wanted).every(isAsWanted) && Object.keys(present).every((path) => wanted[path] !== undefined)
}

function lockedPackages(path) {
  try {
    const { '': _project, ...packages } = JSON.parse(readFileSync(join(root, path), 'utf8')).packages
    return packages
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

function assertPinnedNode() {
  const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.node
  const { stdout, error } = spawnSync(pinnedNode, ['--version'], { encoding: 'utf8' })
  if (error) {
    fail(
      `Cannot run Node ${wanted}: node_modules/.bin/node is missing.`,
      'Its package brings the binary with an install script. Allow it with `npm install-scripts approve node esbuild`',
      '(and not `--ignore-scripts`), then delete node_modules and try again.',
    )
  }
  if (stdout.trim() !== `v${wanted}`)
    fail(`Cannot use node_modules/.bin/node: wanted v${wanted}, got ${stdout.trim()}.`)
}
