import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { FLAGS } from '../../../src/commands/flag-table.ts'
import { ConfigDir } from '../config/config-dir.ts'
import { runningServer } from '../server/running-server.ts'
import { Page, PROJECT } from './markdown.ts'

const DIRECTORY = join(PROJECT, 'deploy/sidecar')
const { version } = parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string }

interface Container {
  readonly name: string
  readonly image: string
  readonly securityContext: unknown
  readonly resources?: unknown
  readonly [probe: string]: unknown
}

interface PodSpec {
  readonly enableServiceLinks?: boolean
  readonly securityContext?: unknown
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes: readonly { readonly emptyDir?: { readonly sizeLimit?: string } }[]
}

const running = Page.read('docs/running.md')
const dockerfile = readFileSync(join(PROJECT, 'Dockerfile'), 'utf8')
const textOf = (file: string) => readFileSync(join(DIRECTORY, file), 'utf8')
const read = (file: string) => parseAllDocuments(textOf(file)).map((each) => each.toJS())
const podSpecOf = ({ kind, spec }: { kind: string; spec: { template: { spec: PodSpec } } & PodSpec }): PodSpec[] =>
  kind === 'Pod' ? [spec] : kind === 'Job' ? [spec.template.spec] : []
const pods = readdirSync(DIRECTORY).flatMap((file) =>
  read(file)
    .flatMap(podSpecOf)
    .map((spec) => [file, spec] as const),
)

test('deploy/sidecar has a pod of each kind', () => {
  expect(pods.map(([file]) => file)).toEqual([
    'classic-sidecar.yaml',
    'init-container.yaml',
    'job.yaml',
    'native-sidecar.yaml',
  ])
})

describe.each(pods)('deploy/sidecar/%s', (_file, spec) => {
  const containers = [...(spec.initContainers ?? []), ...spec.containers]

  test('is what PodSecurity calls restricted, and hides no variables of Services in the environment', () => {
    expect(spec).toMatchObject({
      enableServiceLinks: false,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    })
    for (const { securityContext, resources } of containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(resources).toMatchObject({ requests: {}, limits: { memory: expect.any(String) } })
    }
  })

  test('uses the image of this version, and limits its volumes', () => {
    const own = containers.filter(({ name }) => name.startsWith('etcd-mirror'))
    expect(own.length).toBeGreaterThan(0)
    for (const { image } of own) expect(image).toBe(`etcd-mirror:${version}`)
    for (const { emptyDir } of spec.volumes) if (emptyDir) expect(emptyDir.sizeLimit).toMatch(/^\d+Mi$/)
  })

  test('probes endpoints that exist', async () => {
    const { get } = await runningServer()
    for (const container of containers) {
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        const { httpGet } = (container[probe] ?? {}) as { httpGet?: { path: string; port: number } }
        if (httpGet === undefined) continue
        expect(httpGet.port).toBe(9379)
        expect((await get(httpGet.path)).status).not.toBe(404)
      }
    }
  })
})

test('deploy/sidecar/config.yaml holds a configuration without faults but for the missing files', async () => {
  const [{ data }] = read('config.yaml') as [{ data: Record<string, string> }]
  await using directory = await ConfigDir.create(data)
  const faults = await directory.faults()
  expect(faults.filter((fault) => !/etcd.conf:.*-file: .*does not exist/.test(fault))).toEqual([])
})

test('docs/running.md shows the lines of config.yaml and native-sidecar.yaml as they are', () => {
  const [config, ...sidecar] = running.section('Sidecar').blocks('yaml')
  expect(textOf('config.yaml')).toContain(config)
  expect(sidecar).toHaveLength(2)
  for (const lines of sidecar) expect(textOf('native-sidecar.yaml')).toContain(lines)
})

test.each(pods)(
  'what docs/running.md says for OpenShift leaves no user and no group in %s',
  (file, { securityContext }) => {
    const [, filter = ''] = /^(sed .*) deploy\S+ \|/m.exec(running.section('OpenShift').text) ?? []
    const manifest = execFileSync('sh', ['-c', filter], { input: textOf(file), encoding: 'utf8' })
    const [{ kind, spec }] = parseAllDocuments(manifest).map((each) => each.toJS())
    const { runAsUser, runAsGroup, fsGroup, ...others } = securityContext as Record<string, unknown>
    expect([runAsUser, runAsGroup, fsGroup]).toEqual([65532, 65532, 65532])
    expect(podSpecOf({ kind, spec })[0]?.securityContext).toEqual(others)
    expect(manifest).not.toContain('65532')
  },
)

test('docs/operator.md shows the EtcdConnection of docs/custom-resources.md', () => {
  const example = Page.read('docs/custom-resources.md').section('EtcdConnection').blocks('yaml')
  expect(Page.read('docs/operator.md').section('Connections').blocks('yaml')).toEqual(example)
})

test('the chart, its application, the image and the program have one version', () => {
  const chart = parse(readFileSync(join(PROJECT, 'deploy/helm/etcd-mirror/Chart.yaml'), 'utf8'))
  expect(chart).toMatchObject({ version, appVersion: version })
  expect(dockerfile).toContain(`\nARG VERSION=${version}\n`)
})

test('docs/image.md names exactly the build arguments of the Dockerfile', () => {
  const page = Page.read('docs/image.md')
  const known = [...dockerfile.matchAll(/^ARG (\w+)/gm)].map(([, name]) => name)
  const listed = page.rows.flatMap(([names = '']) => [...names.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name))
  expect(listed).toEqual(known)
  for (const [, name] of page.text.matchAll(/--build-arg (\w+)/g)) expect(known).toContain(name)
})

test('the chart has a value for every flag of the operator, but for those that would break it', () => {
  const deployment = readFileSync(join(PROJECT, 'deploy/helm/etcd-mirror/templates/deployment.yaml'), 'utf8')
  const given = [...deployment.matchAll(/- --([a-z-]+)=/g)].map(([, flag]) => flag)
  const flags = Object.values(FLAGS).filter(({ commands }) => commands.includes('operator'))
  const names = flags.map(({ usage }) => usage.match(/^--([a-z-]+)/)?.[1])
  expect([...given, 'http-bind', 'leader-election'].sort()).toEqual(names.sort())
})

test('docs/install.md names values that the chart has', () => {
  const values = parse(readFileSync(join(PROJECT, 'deploy/helm/etcd-mirror/values.yaml'), 'utf8'))
  const page = Page.read('docs/install.md')
  const cells = page.rows.map(([, cell = '']) => cell).join('')
  const named = [...cells.matchAll(/`([^`]+)`/g), ...page.text.matchAll(/--set ([^=…]+)=/g)]
  expect(named.length).toBeGreaterThan(10)
  for (const [, name = ''] of named) expect(values, name).toHaveProperty(name)
})

test('the image gets nothing of the project but dist and the licence', () => {
  const kept = readFileSync(join(PROJECT, '.dockerignore'), 'utf8').match(/^!.*$/gm)
  expect(kept).toEqual(['!dist/bin', '!dist/THIRD-PARTY-LICENSES.txt', '!dist/sbom.cdx.json', '!LICENSE'])
  const copied = [...dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm)]
  expect(copied.flatMap(([, sources = '']) => sources.split(' '))).toEqual([
    'dist/bin',
    'dist/THIRD-PARTY-LICENSES.txt',
    'dist/sbom.cdx.json',
    'LICENSE',
  ])
})
