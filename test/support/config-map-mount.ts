import { mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * A directory that holds files as the kubelet mounts a ConfigMap or Secret: `<name> -> ..data/<name>`,
 * `..data -> ..<stamp>`, and an update is one rename of `..data`
 * (https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go).
 */
export class ConfigMapMount {
  readonly path: string
  #updates = 0

  /** The directory must exist. */
  constructor(path: string) {
    this.path = path
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Replaces all files as one. */
  async update(files: Readonly<Record<string, string>>): Promise<void> {
    this.#updates += 1
    const stamp = `..2026_11_23_09_00_00.${this.#updates}`
    await mkdir(this.file(stamp))
    for (const [name, content] of Object.entries(files)) await writeFile(join(this.file(stamp), name), content)
    const old = await readlink(this.file('..data')).catch(() => undefined)
    await symlink(stamp, this.file('..data_tmp'))
    await rename(this.file('..data_tmp'), this.file('..data'))
    const visible = (await readdir(this.path)).filter((name) => !name.startsWith('..'))
    for (const name of Object.keys(files)) {
      if (!visible.includes(name)) await symlink(`..data/${name}`, this.file(name))
    }
    for (const name of visible) if (!Object.hasOwn(files, name)) await rm(this.file(name))
    if (old !== undefined) await rm(this.file(old), { recursive: true })
  }
}
