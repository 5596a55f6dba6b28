// Kubernetes' own programs, compiled from the published Go modules: one go.mod a version, so that they share their packages.
import { readFile } from 'node:fs/promises'
import { withGo } from './with-go.mjs'

/** Fills `directory` with the programs of that name (`kube-apiserver`, `kubectl`, …) of that version. */
export async function kubernetesFromGo(directory, version, programs, log) {
  await withGo({ what: `Kubernetes ${version}`, least: '1.26', log }, async ({ go, goMod }) => {
    const module = `k8s.io/kubernetes@v${version}`
    const found = await go(['mod', 'download', '-json', module], `downloading the modules of Kubernetes ${version}`)
    await goMod(requirements(await readFile(JSON.parse(found).GoMod, 'utf8'), version))
    log(`compiling ${programs.join(', ')} ${version}`)
    const flags = `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v${version}`
    const commands = programs.map((program) => `k8s.io/kubernetes/cmd/${program}`)
    await go(['build', '-trimpath', flags, '-o', `${directory}/`, ...commands], `compiling Kubernetes ${version}`)
  })
}

/** Kubernetes' go.mod points to its staging directories, which the module does not hold: here to their releases. */
function requirements(kubernetesGoMod, version) {
  const staged = [...kubernetesGoMod.matchAll(/^\s*(?:replace )?(\S+) => \.\/staging\//gm)].map(([, name]) => name)
  const release = version.replace(/^1\./, '0.')
  return [`require k8s.io/kubernetes v${version}`, ...staged.map((name) => `replace ${name} => ${name} v${release}`)]
}
