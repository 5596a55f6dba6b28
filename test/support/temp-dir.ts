import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// One listener for each directory and each process of a test; a cluster has several of both.
process.setMaxListeners(100)

/** A directory that is removed with everything in it when it is disposed of, or when the process exits. */
export interface TempDir extends AsyncDisposable {
  readonly path: string
}

export async function makeTempDir(name = 'test'): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), `etcd-mirror-${name}-`))
  const removeAtExit = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  process.once('exit', removeAtExit)
  return {
    path,
    async [Symbol.asyncDispose]() {
      process.off('exit', removeAtExit)
      await rm(path, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
