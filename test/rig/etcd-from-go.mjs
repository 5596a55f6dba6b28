// etcd of any version from 3.5 on, compiled from the published Go modules.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

const commands = {
  etcd: 'go.etcd.io/etcd/server/v3',
  etcdctl: 'go.etcd.io/etcd/etcdctl/v3',
  etcdutl: 'go.etcd.io/etcd/etcdutl/v3',
}

/** Fills `directory` with `etcd`, `etcdctl` and `etcdutl` of that version. */
export async function etcdFromGo(directory, version, log) {
  const scratch = await mkdtemp(join(tmpdir(), 'etcd-mirror-rig-'))
  const go = (args, what) =>
    run('go', args, {
      cwd: scratch,
      env: { GOFLAGS: '-mod=mod', GOWORK: 'off', CGO_ENABLED: '0' },
      log,
      what,
      missing: `Cannot build etcd ${version}: the go command is missing (install Go 1.24 or newer)`,
    })
  try {
    await writeFile(join(scratch, 'go.mod'), 'module rig\n')
    await go(
      ['get', ...Object.values(commands).map((module) => `${module}@v${version}`)],
      `downloading the modules of etcd ${version}`,
    )
    for (const [binary, module] of Object.entries(commands)) {
      log(`compiling ${binary} ${version}`)
      const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', join(directory, binary), module]
      await go(args, `compiling ${binary} ${version}`)
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
