import type { KubeClient } from '../kube/kube-client.ts'
import type { Clock } from '../util/clock.ts'
import type { Metrics } from '../util/metrics.ts'

export interface KubeAccessOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the program. */
  readonly version: string
  readonly clock: Clock
  readonly metrics: Metrics
}

/** The Kubernetes client that all mirrors of a process share; nothing of it is loaded before somebody asks. */
export class KubeAccess {
  readonly #options: KubeAccessOptions
  #client: Promise<KubeClient> | undefined

  constructor(options: KubeAccessOptions) {
    this.#options = options
  }

  /** Rejects with `KubeError` when there are no credentials; then the next call looks again. */
  async connect(): Promise<KubeClient> {
    this.#client ??= this.#open()
    try {
      return await this.#client
    } catch (error) {
      this.#client = undefined
      throw error
    }
  }

  /** Ends every request. */
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    await client?.close()
  }

  async #open(): Promise<KubeClient> {
    const { env, version, clock, metrics } = this.#options
    const [{ KubeClient: Client }, { loadCredentials }] = await Promise.all([
      import('../kube/kube-client.ts'),
      import('../kube/load-credentials.ts'),
    ])
    const credentials = await loadCredentials(env, () => clock.monotonic())
    return new Client({ credentials, userAgent: `etcd-mirror/${version}`, clock, metrics })
  }
}
