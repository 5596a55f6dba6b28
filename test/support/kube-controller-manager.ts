import { join } from 'node:path'
import { ensureKubernetes } from '../rig/ensure.mjs'
import { spawnTracked, type TrackedProcess } from './child-process.ts'
import type { KubeApi } from './kube-api.ts'

/** The real garbage collector and namespace controller beside an API server. Disposing of it ends it. */
export class KubeControllerManager implements AsyncDisposable {
  readonly #process: TrackedProcess

  static async start(api: KubeApi): Promise<KubeControllerManager> {
    const { directory } = await ensureKubernetes('1.37')
    const flags = [
      `--kubeconfig=${await api.kubeconfig()}`,
      '--leader-elect=false',
      '--secure-port=0',
      '--controllers=garbage-collector-controller,namespace-controller',
    ]
    return new KubeControllerManager(
      spawnTracked(join(directory, 'kube-controller-manager'), flags, { stdio: 'ignore' }),
    )
  }

  private constructor(started: TrackedProcess) {
    this.#process = started
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.child.kill('SIGKILL')
    await this.#process.exit
  }
}
