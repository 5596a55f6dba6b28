// etcd of any version from 3.5 on, compiled from the published Go modules.
import { join } from 'node:path'
import { withGo } from './with-go.mjs'

const commands = {
  etcd: 'go.etcd.io/etcd/server/v3',
  etcdctl: 'go.etcd.io/etcd/etcdctl/v3',
  etcdutl: 'go.etcd.io/etcd/etcdutl/v3',
}

/** Fills `directory` with `etcd`, `etcdctl` and `etcdutl` of that version. */
export async function etcdFromGo(directory, version, log) {
  await withGo({ what: `etcd ${version}`, least: '1.24', log }, async ({ go }) => {
    const modules = Object.values(commands).map((module) => `${module}@v${version}`)
    await go(['get', ...modules], `downloading the modules of etcd ${version}`)
    for (const [binary, module] of Object.entries(commands)) {
      log(`compiling ${binary} ${version}`)
      const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', join(directory, binary), module]
      await go(args, `compiling ${binary} ${version}`)
    }
  })
}
