import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigWatcher } from '../../../src/config/config-watcher.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { Notifier } from '../../../src/util/notifier.ts'
import { ConfigMapMount } from '../../support/config-map-mount.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

/** A watcher and what waits for it. */
class Watched implements AsyncDisposable {
  readonly directory: string
  readonly watcher: ConfigWatcher
  readonly #dispose: () => Promise<void>
  readonly #notifier = new Notifier()

  private constructor(directory: string, dispose: () => Promise<void>) {
    this.directory = directory
    this.#dispose = dispose
    this.watcher = new ConfigWatcher({ onChange: () => this.#notifier.notify(), logger: silentLogger })
  }

  static async create(): Promise<Watched> {
    const temp = await makeTempDir('watch')
    return new Watched(temp.path, async () => await temp[Symbol.asyncDispose]())
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** Rejects when the change is not noticed. */
  async notices(change: () => Promise<unknown>): Promise<void> {
    const seen = this.#notifier.version
    await change()
    await this.#notifier.wait(seen, AbortSignal.timeout(5000))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watcher[Symbol.dispose]()
    await this.#dispose()
  }
}

describe('ConfigWatcher notices', () => {
  test('every flip of ..data in a mounted ConfigMap', async () => {
    await using watched = await Watched.create()
    const mount = new ConfigMapMount(watched.directory)
    await mount.update({ 'mirror.yaml': '1' })
    for (const content of ['2', '3', '4']) {
      await watched.watcher.watch([mount.file('mirror.yaml')])
      await watched.notices(() => mount.update({ 'mirror.yaml': content }))
    }
  })

  test('a file that an editor renames into place, again and again', async () => {
    await using watched = await Watched.create()
    await writeFile(watched.path('mirror.yaml'), '0')
    await watched.watcher.watch([watched.path('mirror.yaml')])
    for (const content of ['1', '2']) {
      await watched.notices(async () => {
        await writeFile(watched.path('.mirror.yaml.swp'), content)
        await rename(watched.path('.mirror.yaml.swp'), watched.path('mirror.yaml'))
      })
    }
  })

  test('a file that is written in place, removed and made again', async () => {
    await using watched = await Watched.create()
    const file = watched.path('etcd.conf')
    await writeFile(file, '0')
    await watched.watcher.watch([file])
    await watched.notices(() => writeFile(file, '1'))
    await watched.notices(() => rm(file))
    await watched.notices(() => writeFile(file, '2'))
  })

  test('a change of what a path is a link to', async () => {
    await using watched = await Watched.create()
    await mkdir(watched.path('elsewhere'))
    await writeFile(watched.path('elsewhere/real.yaml'), '0')
    await mkdir(watched.path('conf'))
    await symlink('../elsewhere/real.yaml', watched.path('conf/mirror.yaml'))
    await watched.watcher.watch([watched.path('conf/mirror.yaml')])
    await watched.notices(() => writeFile(watched.path('elsewhere/real.yaml'), '1'))
  })

  test('changes in a directory that was removed and made anew under its name', async () => {
    await using watched = await Watched.create()
    const file = watched.path('conf/mirror.yaml')
    await mkdir(watched.path('conf'))
    expect(await watched.watcher.watch([file])).toBe(true)
    await watched.notices(() => rm(watched.path('conf'), { recursive: true }))
    await mkdir(watched.path('conf'))
    expect(await watched.watcher.watch([file])).toBe(true)
    await watched.notices(() => writeFile(file, '1'))
  })
})

test('ConfigWatcher.watch resolves with true only when a directory was not watched before', async () => {
  await using watched = await Watched.create()
  await mkdir(watched.path('a'))
  const answers = []
  for (const paths of [['a/x'], ['a/x', 'a/y'], ['a/x', 'missing/x'], ['x'], ['a/x', 'x'], []]) {
    answers.push(await watched.watcher.watch(paths.map((path) => watched.path(path))))
  }
  expect(answers).toEqual([true, false, false, true, true, false])
})
