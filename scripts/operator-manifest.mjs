// Writes deploy/operator.yaml, the chart as people without Helm apply it. With --check it writes nothing and exits 1 on a
// difference. helm is not everywhere where this checks: the file names a digest of what it is made of, which is compared
// alone, and with --render (in the integration tests) the rest too. Needs the Node of devDependencies.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureHelm } from '../test/rig/ensure.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const MANIFEST = 'deploy/operator.yaml'
const CHART = 'deploy/helm/etcd-mirror'
const NAME = 'etcd-mirror'

const isCheck = process.argv.includes('--check')
const digest = digestOf([...filesBelow(CHART), ...filesBelow('crds'), 'scripts/operator-manifest.mjs'])
const written = read(MANIFEST)
const isCurrent = written.includes(`sha256 ${digest}`)

if (isCheck) {
  const isEqual = isCurrent && (!process.argv.includes('--render') || written === (await render()))
  if (!isEqual) {
    console.error(`${MANIFEST} differs from ${CHART}: run \`npm run generate\``)
    process.exitCode = 1
  }
} else if (!isCurrent || process.argv.includes('--render')) {
  writeFileSync(join(root, MANIFEST), await render())
}

async function render() {
  const namespace = {
    head: `# The operator of etcd-mirror: its namespace, its custom resources, its rights, and two replicas of it.
# Made by scripts/operator-manifest.mjs from ${CHART} with its default values, so that the operator may read and write
# no Secrets. Write your registry into the line "image:". docs/install.md says more.
# sha256 ${digest}
`,
    text: `apiVersion: v1
kind: Namespace
metadata:
  name: ${NAME}
  labels:
    pod-security.kubernetes.io/enforce: restricted
`,
  }
  const definitions = filesBelow('crds').map((path) => read(path).replace(/^#.*\n/, ''))
  const rest = (await helmTemplate()).replaceAll(/^# Source: .*\n/gm, '').replace(/^---\n/, '')
  return namespace.head + [namespace.text, ...definitions, rest].join('---\n')
}

async function helmTemplate() {
  const helm = await ensureHelm()
  const home = mkdtempSync(join(tmpdir(), 'etcd-mirror-helm-'))
  try {
    const args = ['--namespace', NAME, '--skip-tests', '--kube-version', '1.34.0', '--set', 'crds.install=false']
    return execFileSync(helm, ['template', NAME, join(root, CHART), ...args], {
      encoding: 'utf8',
      env: { HOME: home, PATH: process.env.PATH },
    })
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

function digestOf(paths) {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(`${path}\n${read(path)}\n`)
  return hash.digest('hex')
}

function filesBelow(directory) {
  const entries = readdirSync(join(root, directory), { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .sort()
}

function read(path) {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return ''
  }
}
