import { writeFile } from 'node:fs/promises'
import { makeTempDir } from '../support/temp-dir.ts'

/** Who is who in a store, while authentication is on. The mirror may read its prefix and nothing else. */
export const ROOT = { username: 'root', password: 'password-of-root' }
export const READER = { username: 'mirror', password: 'password-of-mirror', role: 'reader' }

/** Keys of etcd.conf for each of them; `isSecure` = over TLS. Without authentication etcd ignores who they are. */
export async function writeCredentials(isSecure: boolean) {
  const directory = await makeTempDir('credentials')
  const conf = async ({ username, password }: { readonly username: string; readonly password: string }) => {
    const path = `${directory.path}/${username}`
    await writeFile(path, password, { mode: 0o600 })
    return { username, 'password-file': path, ...(isSecure ? {} : { 'insecure-transport': true }) }
  }
  return {
    root: await conf(ROOT),
    reader: await conf(READER),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  }
}
