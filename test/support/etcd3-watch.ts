import { Etcd3, type Watcher } from 'etcd3'

/** Revisions that the watcher of the etcd3 package saw, with what it says about its connection. */
export class Etcd3Watch implements AsyncDisposable {
  readonly revisions: number[] = []
  /** Errors that the watcher reported. */
  readonly errors: Error[] = []
  disconnects = 0
  readonly #client: Etcd3
  readonly #watcher: Watcher

  constructor(client: Etcd3, watcher: Watcher) {
    this.#client = client
    this.#watcher = watcher
    watcher.on('data', ({ events }) => {
      for (const { kv } of events) this.revisions.push(Number(kv.mod_revision))
    })
    watcher.on('error', (error) => this.errors.push(error))
    watcher.on('disconnected', () => {
      this.disconnects += 1
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher.cancel().catch(() => undefined)
    this.#client.close()
  }
}

/** Watches a prefix from a revision on with the etcd3 package as its documentation says. */
export async function watchWithEtcd3(endpoint: string, prefix: string, startRevision: number): Promise<Etcd3Watch> {
  const client = new Etcd3({ hosts: endpoint })
  const watcher = await client.watch().prefix(prefix).startRevision(String(startRevision)).watcher()
  return new Etcd3Watch(client, watcher)
}
