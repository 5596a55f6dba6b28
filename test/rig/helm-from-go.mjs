// helm, compiled from its published Go module.
import { join } from 'node:path'
import { withGo } from './with-go.mjs'

const MODULE = 'helm.sh/helm/v3'

/** Fills `directory` with `helm` of that version. */
export async function helmFromGo(directory, version, log) {
  await withGo({ what: `helm ${version}`, least: '1.26', log }, async ({ go }) => {
    await go(['get', `${MODULE}/cmd/helm@v${version}`], `downloading the modules of helm ${version}`)
    log(`compiling helm ${version}`)
    const flags = `-ldflags=-s -w -X ${MODULE}/internal/version.version=v${version}`
    await go(
      ['build', '-trimpath', flags, '-o', join(directory, 'helm'), `${MODULE}/cmd/helm`],
      `compiling helm ${version}`,
    )
  })
}
