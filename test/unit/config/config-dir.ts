import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type ConfigFlags, type LoadedConfig, loadConfig } from '../../../src/config/load-config.ts'
import { ConfigError } from '../../../src/config-files/config-error.ts'

export const ONE_MIRROR = `mirrors:
  - name: app
    prefix: /config/app/
    target: { files: { root: /mirror/app } }
`

/** A temporary configuration directory with these files, removed when it goes out of scope. */
export class ConfigDir {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async create(files: Readonly<Record<string, string | Uint8Array>>): Promise<ConfigDir> {
    const directory = new ConfigDir(await mkdtemp(join(tmpdir(), 'etcd-mirror-config-')))
    for (const [name, content] of Object.entries(files)) await directory.write(name, content)
    return directory
  }

  file(name: string): string {
    return join(this.path, name)
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    await mkdir(dirname(this.file(name)), { recursive: true })
    await writeFile(this.file(name), content)
  }

  async link(name: string, target: string): Promise<void> {
    await symlink(target, this.file(name))
  }

  load(flags: Partial<ConfigFlags> = {}, env: Record<string, string> = {}): Promise<LoadedConfig> {
    const none = { config: undefined, etcdConfig: undefined, httpBind: undefined, configDir: this.path }
    return loadConfig({ ...none, ...flags }, env)
  }

  /** The lines of the error that loading ends with, the directory's own path cut off. */
  async faults(flags: Partial<ConfigFlags> = {}, env: Record<string, string> = {}): Promise<string[]> {
    try {
      await this.load(flags, env)
    } catch (error) {
      if (error instanceof ConfigError) return error.message.split('\n').map((line) => this.shorten(line))
      throw error
    }
    return []
  }

  shorten(line: string): string {
    return line.replaceAll(`${this.path}/`, '').replaceAll(this.path, '.')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

/** Faults of an etcd.conf beside a good mirror.yaml. */
export async function etcdFaults(conf: string, env: Record<string, string> = {}): Promise<string[]> {
  await using directory = await ConfigDir.create({ 'etcd.conf': conf, 'mirror.yaml': ONE_MIRROR })
  return await directory.faults({}, env)
}

/** What an etcd.conf beside a good mirror.yaml comes to. */
export async function loadEtcd(conf: string, env: Record<string, string> = {}): Promise<LoadedConfig> {
  await using directory = await ConfigDir.create({ 'etcd.conf': conf, 'mirror.yaml': ONE_MIRROR })
  const loaded = await directory.load({}, env)
  return { ...loaded, warnings: loaded.warnings.map((line) => directory.shorten(line)) }
}

/** Faults of a mirror.yaml beside an empty etcd.conf. */
export async function mirrorFaults(yaml: string): Promise<string[]> {
  await using directory = await ConfigDir.create({ 'etcd.conf': '', 'mirror.yaml': yaml })
  return await directory.faults()
}

/** What a mirror.yaml beside an empty etcd.conf comes to. */
export async function loadMirror(yaml: string): Promise<LoadedConfig> {
  await using directory = await ConfigDir.create({ 'etcd.conf': '', 'mirror.yaml': yaml })
  return await directory.load()
}
