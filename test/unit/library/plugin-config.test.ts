import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { loadPluginConfig } from '../../../src/library/plugin-config.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

/** A directory with files. */
async function directoryOf(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await makeTempDir('plugin-config')
  onTestFinished(() => directory[Symbol.asyncDispose]())
  const path = join(directory.path, 'conf')
  await mkdir(path)
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return path
}

const endpoints = (loaded: Awaited<ReturnType<typeof loadPluginConfig>>) => loaded?.etcd.endpoints

describe('loadPluginConfig', () => {
  test('ForPlugin without a file: there is none, and the plugin is disabled', async () => {
    expect(await loadPluginConfig({}, { CONFIG_DIR: await directoryOf({}) })).toBeUndefined()
  })

  test('ForPlugin with a file: etcd.conf below the directory of the configuration', async () => {
    const configDir = await directoryOf({ 'etcd.conf': 'endpoints: [a:1]\n', 'other.conf': 'endpoints: [b:2]\n' })
    expect(endpoints(await loadPluginConfig({ configDir }, {}))).toEqual(['a:1'])
    expect(endpoints(await loadPluginConfig({}, { CONFIG_DIR: configDir }))).toEqual(['a:1'])
  })

  test('ForPlugin with a specified file: the option counts before ETCD_CONFIG, and a path before the directory', async () => {
    const configDir = await directoryOf({ 'etcd.conf': 'endpoints: [a:1]\n', 'other.conf': 'endpoints: [b:2]\n' })
    const env = { ETCD_CONFIG: 'other.conf' }
    expect(endpoints(await loadPluginConfig({ configDir }, env))).toEqual(['b:2'])
    expect(endpoints(await loadPluginConfig({ configDir, config: 'etcd.conf' }, env))).toEqual(['a:1'])
    expect(endpoints(await loadPluginConfig({ config: join(configDir, 'other.conf') }, {}))).toEqual(['b:2'])
    for (const wrong of [
      { configDir, config: 'typo.conf' },
      { configDir: 'nowhere', config: 'etcd.conf' },
    ]) {
      await expect(loadPluginConfig(wrong, {})).rejects.toMatchObject({ code: 'ConfigInvalid' })
    }
    await expect(loadPluginConfig({ configDir }, { ETCD_CONFIG: 'typo.conf' })).rejects.toThrow('typo.conf')
  })

  test('endpoints: the file, then ETCD_ENDPOINTS, then ETCDV3_ENDPOINTS, which do without a file too', async () => {
    const variables = { ETCD_ENDPOINTS: 'e:1, f:2', ETCDV3_ENDPOINTS: 'v:3' }
    const configDir = await directoryOf({ 'etcd.conf': 'endpoints: [a:1]\n', 'empty.conf': '' })
    expect(endpoints(await loadPluginConfig({ configDir }, variables))).toEqual(['a:1'])
    expect(endpoints(await loadPluginConfig({ configDir, config: 'empty.conf' }, variables))).toEqual(['e:1', 'f:2'])
    const nothing = await directoryOf({})
    expect(endpoints(await loadPluginConfig({ configDir: nothing }, variables))).toEqual(['e:1', 'f:2'])
    expect(endpoints(await loadPluginConfig({ configDir: nothing }, { ETCDV3_ENDPOINTS: 'v:3' }))).toEqual(['v:3'])
    expect(endpoints(await loadPluginConfig({ config: {} }, variables))).toEqual(['e:1', 'f:2'])
    expect(endpoints(await loadPluginConfig({ config: {} }, {}))).toEqual(['127.0.0.1:2379'])
  })

  test('the settings of the plugin, from a file and from an object', async () => {
    const conf =
      'endpoints: [a:1]\nauto-compact: 2h\nresync-after-reconnect: true\nallow-delayed-start: true\nreconnect-interval: 5s\nexpand-env-variables: true\n'
    const expected = {
      autoCompactMs: 7_200_000,
      resyncAfterReconnect: true,
      allowDelayedStart: true,
      reconnectIntervalMs: 5000,
      expandEnvVariables: true,
    }
    expect((await loadPluginConfig({ configDir: await directoryOf({ 'etcd.conf': conf }) }, {}))?.etcd).toMatchObject(
      expected,
    )
    expect((await loadPluginConfig({ config: { endpoints: ['a:1'], ...expected } }, {}))?.etcd).toMatchObject(expected)
    expect((await loadPluginConfig({ config: {} }, {}))?.etcd).toMatchObject({
      autoCompactMs: 0,
      resyncAfterReconnect: false,
      allowDelayedStart: undefined,
      reconnectIntervalMs: 2000,
      expandEnvVariables: false,
    })
  })

  test.each([{ autoCompactMs: -1 }, { reconnectIntervalMs: 0 }, { autoCompactMs: Number.NaN }])(
    'refuses %j',
    async (config) => {
      await expect(loadPluginConfig({ config }, {})).rejects.toMatchObject({ code: 'InvalidArgument' })
    },
  )

  test('tells of what has no effect', async () => {
    const configDir = await directoryOf({ 'etcd.conf': 'endpoints: [a:1]\nendpoint: b\nauto-compact: 1m\n' })
    const warnings = (await loadPluginConfig({ configDir }, {}))?.warnings
    expect(warnings).toEqual([expect.stringContaining('unknown key'), expect.stringContaining('below 60 minutes')])
  })

  test.each([
    ['nanoseconds', 'dial-timeout: 500000000\noperation-timeout: 2000000000\n'],
    ['durations', 'dial-timeout: 500ms\noperation-timeout: "2s"\n'],
  ])('ParseConfigFromYamlBytes: %s', async (_what, conf) => {
    const loaded = await loadPluginConfig(
      { configDir: await directoryOf({ 'etcd.conf': `endpoints: [a:1]\n${conf}` }) },
      {},
    )
    expect(loaded?.etcd).toMatchObject({ dialTimeoutMs: 500, operationTimeoutMs: 2000 })
  })

  test.each(['dial-timeout: 5 seconds\n', 'endpoints: [a:1\n', 'endpoints: a: b\n', 'endpoints: {a: 1}\n'])(
    'ParseConfigFromYamlBytes: %j is an error',
    async (conf) => {
      const configDir = await directoryOf({ 'etcd.conf': conf })
      await expect(loadPluginConfig({ configDir }, {})).rejects.toMatchObject({
        code: 'ConfigInvalid',
        message: expect.stringMatching(/etcd\.conf:\d+:\d+: /),
      })
    },
  )
})
