import { mkdir, rename, rm } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type ConfigUser, Reloader } from '../../../src/assemble/reloader.ts'
import { type ConfigAttempt, type LoadedConfig, readConfig } from '../../../src/config/load-config.ts'
import type { ConfigRecording } from '../../../src/config-files/config-sources.ts'
import { AuthError } from '../../../src/etcd/auth-error.ts'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { type Clock, systemClock } from '../../../src/util/clock.ts'
import { eventually } from '../../support/wait.ts'
import { ConfigDir, ONE_MIRROR } from '../config/config-dir.ts'
import { captureLog } from '../observe/capture-log.ts'

/** Time flies: every sleep ends at the next turn of the event loop. */
const FAST: Clock = {
  ...systemClock,
  async sleep(_ms, signal) {
    await turn(undefined, { signal }).catch(() => undefined)
    signal.throwIfAborted()
  },
}

type Read = (recording?: ConfigRecording) => Promise<ConfigAttempt>

function readerOf(directory: ConfigDir): Read {
  const flags = { config: undefined, etcdConfig: undefined, httpBind: undefined, configDir: directory.path }
  return (recording) => readConfig({ flags, env: {}, recording })
}

/** A running reloader and what it told its process. */
class Reloading implements AsyncDisposable {
  readonly reloader: Reloader
  readonly applied: string[] = []
  readonly log = captureLog()
  failure: Error | undefined
  readonly #stop = new AbortController()
  readonly #done: Promise<void>

  constructor(config: LoadedConfig, attempt: ConfigAttempt, read: Read) {
    const { applied } = this
    const failure = () => this.failure
    const running: ConfigUser & { config: LoadedConfig } = {
      config,
      async apply(next) {
        const error = failure()
        if (error) throw error
        running.config = next
        applied.push(next.process.mirrors.map(({ name }) => name).join())
        return { added: [], removed: [], restarted: [], kept: [] }
      },
      requestResync: () => applied.push('resync'),
    }
    const { metrics } = createMetrics()
    const options = { start: { config, attempt }, running, clock: FAST, logger: this.log.logger, metrics }
    this.reloader = new Reloader({ ...options, read: (_signal, recording) => read(recording) })
    this.#done = this.reloader.run(this.#stop.signal)
  }

  static async start(read: Read, following = read): Promise<Reloading> {
    const attempt = await read()
    if (!attempt.ok) throw attempt.error
    return new Reloading(attempt.config, attempt, following)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#done
  }
}

const yamlOf = (name: string) => ONE_MIRROR.replaceAll('app', name)

/** As one: time flies here, and half a file would count. */
async function replace(directory: ConfigDir, yaml: string): Promise<void> {
  await directory.write('mirror.yaml.next', yaml)
  await rename(directory.file('mirror.yaml.next'), directory.file('mirror.yaml'))
}

describe('Reloader', () => {
  test('finds by itself what no directory tells: files in a directory that was not there', async () => {
    await using directory = await ConfigDir.create({ 'conf/mirror.yaml': yamlOf('one'), 'conf/etcd.conf': '' })
    const flags = { config: undefined, etcdConfig: undefined, httpBind: undefined, configDir: directory.file('conf') }
    await using reloading = await Reloading.start((recording) => readConfig({ flags, env: {}, recording }))
    await rm(directory.file('conf'), { recursive: true })
    await eventually(() => expect(reloading.reloader.status().lastReload?.result).toBe('error'))
    await mkdir(directory.file('next'))
    await directory.write('next/mirror.yaml', yamlOf('two'))
    await directory.write('next/etcd.conf', '')
    await rename(directory.file('next'), directory.file('conf'))
    await eventually(() => expect(reloading.applied).toEqual(['two']))
  })

  test('takes only what two readings in a row agree on', async () => {
    await using before = await ConfigDir.create({ 'mirror.yaml': yamlOf('one'), 'etcd.conf': '' })
    await using half = await ConfigDir.create({ 'mirror.yaml': yamlOf('half'), 'etcd.conf': '' })
    await using after = await ConfigDir.create({ 'mirror.yaml': yamlOf('two'), 'etcd.conf': '' })
    const readings = [readerOf(before), readerOf(half), readerOf(after)]
    const next: Read = (recording) => (readings.length > 1 ? readings.shift() : readings[0])?.(recording) as never
    await using reloading = await Reloading.start(readerOf(before), next)
    await eventually(() => expect(reloading.applied).toEqual(['two']))
  })

  test('keeps what is in use when the new configuration cannot be put to use, and tries no more until files change', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': yamlOf('one'), 'etcd.conf': '' })
    await using reloading = await Reloading.start(readerOf(directory))
    reloading.failure = new AuthError('TlsRefused', 'Cannot read ca-file /ca: ENOENT')
    await replace(directory, yamlOf('two'))
    await eventually(() => expect(reloading.reloader.status().lastReload).toMatchObject({ result: 'error' }))
    expect(reloading.reloader.status().lastReload?.problems).toMatchObject([
      { message: 'Cannot read ca-file /ca: ENOENT' },
    ])
    reloading.failure = undefined
    await replace(directory, yamlOf('three'))
    await eventually(() => expect(reloading.applied).toEqual(['three']))
    expect(reloading.log.records().filter(({ level }) => level === 'error')).toHaveLength(1)
  })

  test('asks for a snapshot only after the new configuration is in use', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': yamlOf('one'), 'etcd.conf': '' })
    const reader = readerOf(directory)
    const first = await reader()
    await directory.write('mirror.yaml', yamlOf('two'))
    if (!first.ok) throw first.error
    await using reloading = new Reloading(first.config, first, reader)
    reloading.reloader.reloadAndResync()
    await eventually(() => expect(reloading.applied).toEqual(['two', 'resync']))
  })
})
