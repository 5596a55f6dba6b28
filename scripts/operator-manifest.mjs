// Writes deploy/operator.yaml, the chart as people without Helm apply it. With --check it writes nothing and exits 1 on a
// difference. helm is not everywhere where this checks: what it renders is then known by two digests, of the chart and of what
// helm made of it, and compared with --render alone (in the integration tests). Needs the Node of devDependencies.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureHelm } from '../test/rig/ensure.mjs'
import { CHART, CHART_CRDS } from './chart-pages.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const MANIFEST = 'deploy/operator.yaml'
const NAME = 'etcd-mirror'
/** The definitions stand in crds/ as well, where they are compared as they are. */
const FLAGS = ['--namespace', NAME, '--skip-tests', '--kube-version', '1.34.0', '--set', 'crds.install=false']

const isCheck = process.argv.includes('--check')
const doesRender = process.argv.includes('--render')
const beginning = [namespace(), ...filesBelow('crds').map(definition), chartHead()].join('---\n')
const written = read(MANIFEST)
const isCurrent = written.startsWith(beginning) && hasItsDigest(written.slice(beginning.length))

if (isCheck) {
  const isEqual = isCurrent && (!doesRender || written === (await manifest()))
  if (!isEqual) {
    console.error(`${MANIFEST} differs from ${CHART} or crds: run \`npm run generate\``)
    process.exitCode = 1
  }
} else if (!isCurrent || doesRender) {
  writeFileSync(join(root, MANIFEST), await manifest())
}

async function manifest() {
  return beginning + withDigest(helmTemplate(await ensureHelm()))
}

function withDigest(rendered) {
  return `# Rendered, sha256 ${createHash('sha256').update(rendered).digest('hex')}\n${rendered}`
}

function hasItsDigest(text) {
  return withDigest(text.slice(text.indexOf('\n') + 1)) === text
}

function namespace() {
  return `# The operator of etcd-mirror: its namespace, its custom resources, its rights, and two replicas of it.
# Made by scripts/operator-manifest.mjs from crds/ and from ${CHART} with its default values: the operator
# may read and write no Secrets. Write your registry into the line "image:". docs/install.md says more.
apiVersion: v1
kind: Namespace
metadata:
  name: ${NAME}
  labels:
    pod-security.kubernetes.io/enforce: restricted
`
}

function definition(path) {
  return read(path).replace(/^#.*\n/, '')
}

function chartHead() {
  const hash = createHash('sha256').update(FLAGS.join(' '))
  const files = filesBelow(CHART).filter((path) => !path.startsWith(CHART_CRDS))
  for (const path of files) hash.update(`\n${path}\n${read(path)}`)
  return `# From the chart, sha256 ${hash.digest('hex')}\n`
}

function helmTemplate(helm) {
  const home = mkdtempSync(join(tmpdir(), 'etcd-mirror-helm-'))
  try {
    const env = { HOME: home, PATH: process.env.PATH }
    const text = execFileSync(helm, ['template', NAME, join(root, CHART), ...FLAGS], { encoding: 'utf8', env })
    return text.replaceAll(/^# Source: .*\n/gm, '').replace(/^---\n/, '')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

function filesBelow(directory) {
  const entries = readdirSync(join(root, directory), { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(root.length)).sort()
}

function read(path) {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return ''
  }
}
