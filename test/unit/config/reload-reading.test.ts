import { chmod, readFile, stat } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import {
  acceptedConfigPath,
  lastAcceptedConfig,
  readAcceptedConfig,
  writeAcceptedConfig,
} from '../../../src/config/accepted-config.ts'
import { type ConfigAttempt, type ConfigFlags, readConfig } from '../../../src/config/load-config.ts'
import { FileSystem } from '../../../src/targets/files/file-system.ts'
import { layoutOf } from '../../../src/targets/files/layout.ts'
import { claimRoot } from '../../../src/targets/files/owner.ts'
import { ConfigDir, ONE_MIRROR } from './config-dir.ts'

const FIXTURES = `${import.meta.dirname}/fixtures`

async function read(directory: ConfigDir, flags: Partial<ConfigFlags> = {}): Promise<ConfigAttempt> {
  return await readConfig(optionsOf(directory, flags))
}

function optionsOf({ path }: ConfigDir, flags: Partial<ConfigFlags> = {}) {
  return {
    flags: { config: undefined, etcdConfig: undefined, httpBind: undefined, configDir: path, ...flags },
    env: {},
  }
}

function configOf(attempt: ConfigAttempt) {
  if (!attempt.ok) throw attempt.error
  return attempt.config
}

describe('readConfig', () => {
  test('a broken configuration keeps its warnings beside the problems', async () => {
    const conf = 'endpoint: [a:2379]\ndial-timeout: soon\n'
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR, 'etcd.conf': conf })
    const attempt = await read(directory)
    expect(attempt).toMatchObject({
      ok: false,
      error: {
        problems: [{ path: 'dial-timeout' }],
        warnings: [{ path: 'endpoint', message: 'unknown key, did you mean "endpoints"?' }],
      },
    })
  })

  test('has another digest exactly when the content of a file that counts is another one', async () => {
    const conf = 'endpoints: ["https://a:2379"]\nca-file: CA\nusername: u\npassword-file: PASSWORD\n'
    await using directory = await ConfigDir.create({
      'mirror.yaml': ONE_MIRROR,
      password: 'one',
      'ca.pem': await readFile(`${FIXTURES}/test-only-cert.pem`),
    })
    const written = conf.replace('CA', directory.file('ca.pem')).replace('PASSWORD', directory.file('password'))
    await directory.write('etcd.conf', written)
    const digest = async () => (await read(directory)).sources.digest
    const digests = [await digest()]
    const change = async (name: string, content: string) => {
      await directory.write(name, content)
      digests.push(await digest())
    }
    await change('mirror.yaml', ONE_MIRROR)
    await change('unrelated', 'x')
    expect(new Set(digests).size).toBe(1)
    await change('mirror.yaml', `${ONE_MIRROR}# comment\n`)
    await change('etcd.conf', `${written}session-ttl: 7\n`)
    await change('password', 'two')
    await change('ca.pem', `${await readFile(`${FIXTURES}/test-only-cert.pem`, 'utf8')}\n`)
    await change('mirror.yaml', 'mirrors: [')
    expect(new Set(digests).size).toBe(6)
  })

  test('has another connectionHash for another option or TLS file, and the same one for another password', async () => {
    const cert = await readFile(`${FIXTURES}/test-only-cert.pem`, 'utf8')
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR, password: 'one', 'ca.pem': cert })
    const conf = `ca-file: ${directory.file('ca.pem')}\nusername: u\npassword-file: ${directory.file('password')}\n`
    await directory.write('etcd.conf', conf)
    const hash = async () => configOf(await read(directory)).connectionHash
    const first = await hash()
    await directory.write('password', 'two')
    await directory.write('etcd.conf', `# comment\n${conf}`)
    expect(await hash()).toBe(first)
    await directory.write('ca.pem', `${cert}\n`)
    const second = await hash()
    expect(second).not.toBe(first)
    await directory.write('etcd.conf', `${conf}dial-timeout: 7s\n`)
    expect(await hash()).not.toBe(second)
  })

  test('reads a recording as it read the files, whatever became of them', async () => {
    const other = ONE_MIRROR.replaceAll('app', 'other')
    await using directory = await ConfigDir.create({
      'etcd.conf': 'endpoints: [a:1]\ndial-timeout: 1500000000\nendpoint: b:2\n',
      'mirrors/a.yaml': `# comment\n${ONE_MIRROR}`,
      'mirrors/b.yaml': `http: { bind: "127.0.0.1:9000" }\n${other}`,
    })
    const flags = { config: directory.file('mirrors') }
    const before = configOf(await read(directory, flags))
    await directory.write('etcd.conf', 'endpoints: 7')
    await directory.write('mirrors/a.yaml', '[')
    await directory.write('mirrors/c.yaml', 'x')
    const options = optionsOf(directory, flags)
    const after = configOf(await readConfig({ ...options, recording: before.recording }))
    expect(after).toEqual({ ...before, warnings: [] })
    const elsewhere = await readConfig({ ...optionsOf(directory), recording: before.recording })
    expect(elsewhere.ok).toBe(false)
  })

  test('records neither comments nor what stands under unknown keys', async () => {
    await using directory = await ConfigDir.create({
      'etcd.conf': 'password: hunter2\n# hunter3\nendpoints: [a:1]\n',
      'mirror.yaml': `# hunter4\n${ONE_MIRROR}`,
    })
    const { recording } = configOf(await read(directory))
    expect(JSON.stringify(recording)).toContain('a:1')
    expect(JSON.stringify(recording)).not.toContain('hunter')
  })
})

describe('lastAcceptedConfig', () => {
  /** A directory with a good configuration, accepted below its root. */
  async function accepted() {
    const directory = await ConfigDir.create({ 'etcd.conf': 'endpoints: [a:1]\n' })
    const root = directory.file('copies/app')
    const yaml = ONE_MIRROR.replace('/mirror/app', root)
    await directory.write('mirror.yaml', yaml)
    const owner = { mirror: 'app', prefixBase64: '', version: '0', layout: 'Snapshot' as const }
    claimRoot(new FileSystem(), layoutOf(root), owner, 0o755)
    const { recording } = configOf(await read(directory))
    writeAcceptedConfig(root, { acceptedAt: '2026-01-01T00:00:00.000Z', recording })
    return { directory, root, yaml }
  }

  const found = async (directory: ConfigDir, flags: Partial<ConfigFlags> = {}) =>
    await lastAcceptedConfig(await read(directory, flags), optionsOf(directory, flags))

  test('is found below the roots that a broken mirror.yaml still names, well-formed or not', async () => {
    const { directory, root, yaml } = await accepted()
    await using _ = directory
    const names = []
    for (const broken of [`${yaml}    typo: 1\n`, `${yaml}   - {[\n`, `{"mirrors": [{"root": "${root}", }`]) {
      await directory.write('mirror.yaml', broken)
      const { config, path } = (await found(directory)) ?? {}
      names.push([config?.process.mirrors[0]?.name, path])
    }
    expect(names).toEqual(Array(3).fill(['app', acceptedConfigPath(root)]))
  })

  test('is found when etcd.conf alone is broken', async () => {
    const { directory } = await accepted()
    await using _ = directory
    await directory.write('etcd.conf', 'endpoints: 7\n')
    expect((await found(directory))?.config.etcd.endpoints).toEqual(['a:1'])
  })

  test('is of no use to a process with other flags, nor below a root that it does not name', async () => {
    const { directory, root, yaml } = await accepted()
    await using _ = directory
    await directory.write('mirror.yaml', `${yaml}    typo: 1\n`)
    await directory.write('other.yaml', `${yaml}    typo: 1\n`)
    expect(await found(directory, { config: 'other.yaml' })).toBeUndefined()
    const moved = directory.file('copies/moved')
    claimRoot(
      new FileSystem(),
      layoutOf(moved),
      { mirror: 'app', prefixBase64: '', version: '0', layout: 'Snapshot' as const },
      0o755,
    )
    await directory.write('copies/moved/.etcd-mirror/accepted-config.json', await readFile(acceptedConfigPath(root)))
    await directory.write('mirror.yaml', `${yaml.replace(root, moved)}    typo: 1\n`)
    expect(await found(directory)).toBeUndefined()
  })

  test('is the newest of those below several roots', async () => {
    const { directory, root, yaml } = await accepted()
    await using _ = directory
    const second = directory.file('copies/second')
    claimRoot(
      new FileSystem(),
      layoutOf(second),
      { mirror: 'second', prefixBase64: '', version: '0', layout: 'Snapshot' as const },
      0o755,
    )
    const both = `${yaml}  - { name: second, prefix: /b/, target: { files: { root: "${second}" } } }\n`
    await directory.write('mirror.yaml', both)
    const { recording } = configOf(await read(directory))
    writeAcceptedConfig(second, { acceptedAt: '2026-01-02T00:00:00.000Z', recording })
    await directory.write('mirror.yaml', `${both}    typo: 1\n`)
    expect((await found(directory))?.config.process.mirrors).toHaveLength(2)
    expect(readAcceptedConfig(root)?.acceptedAt).toBe('2026-01-01T00:00:00.000Z')
  })

  test('is ignored when others may have written it, and when it is not readable', async () => {
    const { directory, root, yaml } = await accepted()
    await using _ = directory
    const path = acceptedConfigPath(root)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await directory.write('mirror.yaml', `${yaml}    typo: 1\n`)
    await chmod(path, 0o666)
    expect(await found(directory)).toBeUndefined()
    await chmod(path, 0o600)
    for (const json of [
      '',
      '{}',
      '[]',
      '{"schema":1,"acceptedAt":"x","recording":{"files":{"a":1},"directories":[]}}',
    ]) {
      await directory.write('copies/app/.etcd-mirror/accepted-config.json', json)
      expect(await found(directory)).toBeUndefined()
    }
  })
})
