import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { COMMANDS } from '../../../src/commands/command-table.ts'
import { EXIT_CODES } from '../../../src/commands/exit-code.ts'
import { FLAGS } from '../../../src/commands/flag-table.ts'
import { type Commands, runProgram } from '../../../src/commands/program.ts'
import { isCompleteVersion } from '../../../src/replication/server-version.ts'
import { METRICS } from '../../../src/util/metric-table.ts'
import { parseQuantity } from '../../../src/util/quantity.ts'
import { ConfigDir } from '../config/config-dir.ts'
import { runningServer } from '../server/running-server.ts'
import { Page, PROJECT } from './markdown.ts'

const readme = Page.read('README.md')
const running = Page.read('docs/running.md')
const configuration = Page.read('docs/configuration.md')

const unmarked = (cell = '') => cell.replaceAll('`', '')
const names = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)

test('README.md: the two files of the quickstart are read without a warning', async () => {
  const [etcdConf = '', mirrorYaml = ''] = readme.section('Quickstart').blocks('yaml')
  await using directory = await ConfigDir.create({ 'etcd.conf': etcdConf, 'mirror.yaml': mirrorYaml })
  const { etcd, process, warnings } = await directory.load()
  expect(warnings).toEqual([])
  expect(etcd).toMatchObject({ endpoints: ['127.0.0.1:2379'], insecureTransport: true })
  const [mirror] = process.mirrors
  expect(mirror).toMatchObject({ name: 'app', target: { files: { root: '/tmp/mirror/app' } } })
  expect(mirror?.prefix.toString()).toBe('/config/app/')
})

test('README.md: the files of the quickstart have two keys and few lines', () => {
  const [etcdConf = '', mirrorYaml = ''] = readme.section('Quickstart').blocks('yaml')
  expect(Object.keys(parse(etcdConf))).toHaveLength(2)
  expect(mirrorYaml.trim().split('\n').length).toBeLessThanOrEqual(5)
})

test('README.md lists exactly the commands of the program', async () => {
  let help = ''
  const none = async () => async () => 0
  await runProgram(
    ['--help'],
    Object.fromEntries(Object.keys(COMMANDS).map((name) => [name, none])) as unknown as Commands,
    {
      signal: new AbortController().signal,
      onHangup: () => {},
      stdout: { write: (text) => (help += text) },
      stderr: { write: () => {} },
      env: {},
      version: '1.2.3',
    },
  )
  const commands = [...help.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name).filter((name) => name !== 'help')
  const listed = readme.section('Commands').rows.map(([command]) => unmarked(command))
  expect(listed).toEqual(commands.map((name) => `etcd-mirror ${name}`))
})

test('README.md and docs/configuration.md list exactly the exit codes of the process', () => {
  const codes = Object.values(EXIT_CODES).map(String)
  expect(readme.section('Exit codes').rows.map(([code]) => code)).toEqual(codes)
  expect(configuration.section('Exit codes').rows.map(([code]) => code)).toEqual(codes)
})

test('README.md and docs/configuration.md list exactly the reasons of a guard', () => {
  const reasons = METRICS.etcd_mirror_guard_holds_total.initial.map(({ reason }) => reason).sort()
  for (const section of [readme.section('Guards'), configuration.section('Limits and safety')]) {
    expect(section.rows.map(([reason]) => unmarked(reason)).sort()).toEqual(reasons)
  }
})

test('README.md: every line that is to be written against a guard is read without a fault', async () => {
  const lines = readme.section('Guards').rows.flatMap(([, , line]) => names(line))
  expect(lines.length).toBeGreaterThan(2)
  const [etcdConf = '', mirrorYaml = ''] = readme.section('Quickstart').blocks('yaml')
  for (const line of lines) {
    await using directory = await ConfigDir.create({
      'etcd.conf': etcdConf,
      'mirror.yaml': `${mirrorYaml}    ${line}\n`,
    })
    const [key = '', member = ''] = line.match(/\w+(?=:)/g) ?? []
    const [mirror] = (await directory.load()).process.mirrors
    const value = /: ([^:}]+) }/.exec(line)?.[1] ?? ''
    const options = mirror?.[key as 'limits' | 'safety'] as unknown as Record<string, unknown>
    expect([line, options[member]]).toEqual([line, parseQuantity(value) ?? parse(value)])
  }
})

test('README.md says of every promise of the contract which tests hold it', () => {
  const promises = [...readme.section('The contract').text.matchAll(/^\d\. \*\*(\w+)\.\*\*/gm)].map(([, name]) => name)
  expect(promises).toHaveLength(6)
  const { rows } = readme.section('What holds the promises')
  expect(rows.map(([promise]) => promise)).toEqual(promises)
  for (const [promise, tests = ''] of rows) {
    const { links } = new Page('README.md', tests)
    expect([promise, links.length > 0 && links.every((link) => link.endsWith('.test.ts'))]).toEqual([promise, true])
  }
})

test('README.md lists exactly the endpoints of the server', async () => {
  const { get } = await runningServer()
  const { body } = await get('/')
  const paths = (text: string) => [...text.matchAll(/(?<![\w/])\/[a-z]+\b/g)].map(([path]) => path)
  const listed = readme.section('Probes and status').rows.flatMap(([endpoint]) => names(endpoint))
  expect(new Set(listed)).toEqual(new Set(paths(body)))
  for (const path of listed) expect([path, (await get(path)).status]).not.toEqual([path, 404])
})

test('docs/running.md probes endpoints that README.md lists', () => {
  const listed = readme.section('Probes and status').rows.flatMap(([endpoint]) => names(endpoint))
  const probed = [...running.text.matchAll(/path: (\/[a-z]+)/g)].map(([, path]) => path)
  expect(probed).toEqual(['/startupz', '/livez', '/readyz'])
  expect(listed).toEqual(expect.arrayContaining(probed))
})

test('README.md: every key of the configuration table stands in docs/configuration.md with the same default', () => {
  const documented = new Map(configuration.rows.map(([key, _value, fallback]) => [unmarked(key), fallback]))
  for (const [, keys, fallback = ''] of readme.section('Configuration').rows) {
    for (const key of names(keys)) {
      expect(documented.has(key), key).toBe(true)
      const [value] = names(fallback)
      if (key.includes('[]') && value !== undefined) expect([key, documented.get(key)]).toEqual([key, `\`${value}\``])
    }
  }
})

test('README.md: every setting it names in passing exists', () => {
  const known = configuration.rows.flatMap(([key]) => unmarked(key).split('.').at(-1) ?? '')
  const camelCase = [
    ...['readerGrace', 'maxStaleness', 'verifyEvery', 'allow-delayed-start', 'insecure-transport'],
    ...['layout', 'allowDeleteUpTo', 'seedAfter'],
  ]
  for (const name of camelCase) {
    expect(
      readme.codes.some((code) => code.startsWith(name)),
      name,
    ).toBe(true)
    expect(known).toContain(name)
  }
})

test('the pages name only metrics that exist', () => {
  for (const path of ['README.md', 'docs/failure-modes.md', 'docs/running.md', 'docs/how-it-works.md']) {
    const named = [...Page.read(path).text.matchAll(/\betcd_mirror_[a-z_]+/g)].map(([name]) => name)
    expect(
      named.filter((name) => !(name in METRICS)),
      path,
    ).toEqual([])
  }
  expect(readme.section('Metrics').rows.length).toBeGreaterThan(0)
})

test('the pages name only reasons and results of metrics that stand in the table', () => {
  for (const path of ['README.md', 'docs/failure-modes.md']) {
    for (const [series, name, label, value] of Page.read(path).text.matchAll(/(etcd_mirror_\w+)\{(\w+)="(\w+)"\}/g)) {
      const { initial = [] } = METRICS[name as keyof typeof METRICS] as { initial?: readonly Record<string, string>[] }
      expect(
        initial.some((labels) => labels[label ?? ''] === value),
        series,
      ).toBe(true)
    }
  }
})

test('the pages name only flags that exist', () => {
  const ours = Object.values(FLAGS).map(({ usage }) => usage.split(' ')[0])
  const others = ['--exit', '--prefix', '--from-file', '--client-cert-auth', '--for']
  for (const path of ['README.md', 'docs/failure-modes.md', 'docs/running.md']) {
    const named = [...Page.read(path).text.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([flag]) => flag)
    expect(
      named.filter((flag) => !ours.includes(flag) && !others.includes(flag)),
      path,
    ).toEqual([])
  }
})

test('README.md promises the whole contract on the versions that the code trusts, and no older ones', () => {
  const [complete] = readme.section('etcd versions').rows
  const [newest, ...oldest] = [...(complete?.[0] ?? '').matchAll(/(\d\.\d(?:\.\d+)?) and newer/g)].map(
    ([, version]) => version,
  )
  expect(oldest).toHaveLength(2)
  for (const version of [`${newest}.0`, ...oldest]) {
    expect([version, isCompleteVersion(version)]).toEqual([version, true])
  }
  for (const version of oldest) {
    const older = version?.replace(/\d+$/, (patch) => String(Number(patch) - 1))
    expect([older, isCompleteVersion(older)]).toEqual([older, false])
  }
})

test('README.md names the etcd versions that the tests run on', () => {
  const rig = readFileSync(join(PROJECT, 'test/rig/ensure.mjs'), 'utf8')
  const used = [...rig.matchAll(/version: '([\d.]+)'/g)].map(([, version]) => version)
  const [, named = ''] = /The tests run on (.*?);/s.exec(readme.section('etcd versions').text) ?? []
  expect(new Set(named.match(/\d+\.\d+\.\d+/g))).toEqual(new Set(used))
})
