// Kubernetes' own programs, compiled from the published Go modules: one go.mod a version, so that they share their packages.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

/** Fills `directory` with the programs of that name (`kube-apiserver`, `kubectl`, …) of that version. */
export async function kubernetesFromGo(directory, version, programs, log) {
  const scratch = await mkdtemp(join(tmpdir(), 'etcd-mirror-rig-'))
  const go = (args, what) =>
    run('go', args, {
      cwd: scratch,
      env: { GOFLAGS: '-mod=mod', GOWORK: 'off', CGO_ENABLED: '0' },
      log,
      what,
      missing: `Cannot build Kubernetes ${version}: the go command is missing (install Go 1.26 or newer)`,
    })
  try {
    await writeFile(join(scratch, 'go.mod'), 'module rig\n')
    const module = `k8s.io/kubernetes@v${version}`
    const found = await go(['mod', 'download', '-json', module], `downloading the modules of Kubernetes ${version}`)
    await writeFile(join(scratch, 'go.mod'), goModule(await readFile(JSON.parse(found).GoMod, 'utf8'), version))
    log(`compiling ${programs.join(', ')} ${version}`)
    await go(
      [
        'build',
        '-trimpath',
        `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v${version}`,
        '-o',
        `${directory}/`,
        ...programs.map((program) => `k8s.io/kubernetes/cmd/${program}`),
      ],
      `compiling Kubernetes ${version}`,
    )
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Kubernetes' go.mod points to its staging directories, which the module does not hold: here to their releases. */
function goModule(kubernetesGoMod, version) {
  const staged = [...kubernetesGoMod.matchAll(/^\s*(?:replace )?(\S+) => \.\/staging\//gm)].map(([, name]) => name)
  const release = version.replace(/^1\./, '0.')
  return [
    'module rig',
    `require k8s.io/kubernetes v${version}`,
    ...staged.map((name) => `replace ${name} => ${name} v${release}`),
    '',
  ].join('\n')
}
