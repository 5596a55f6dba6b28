// The go command in an empty module, which is gone afterwards.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

/**
 * Calls `use` with `goMod(lines)`, which writes the module's go.mod, and `go(args, doing)`, which runs the command there and
 * resolves with its stdout. `what` is made, such as `etcd 3.6.16`, and wants that Go at least.
 */
export async function withGo({ what, least, log }, use) {
  const scratch = await mkdtemp(join(tmpdir(), 'etcd-mirror-rig-'))
  const options = {
    cwd: scratch,
    env: { GOFLAGS: '-mod=mod', GOWORK: 'off', CGO_ENABLED: '0' },
    log,
    missing: `Cannot build ${what}: the go command is missing (install Go ${least} or newer)`,
  }
  const goMod = (lines) => writeFile(join(scratch, 'go.mod'), ['module rig', ...lines, ''].join('\n'))
  try {
    await goMod([])
    return await use({ goMod, go: (args, doing) => run('go', args, { ...options, what: doing }) })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
