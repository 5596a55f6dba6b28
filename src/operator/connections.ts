import type { AllowRule } from './allow.ts'
import type { ConnectionFault } from './connection-options.ts'
import type { SharedConnection } from './shared-connection.ts'

/** What stands behind one EtcdConnection or ClusterEtcdConnection now. */
export interface ConnectionState {
  /** Of the resource: one that is made later under the same name is another connection. */
  readonly uid: string | undefined
  /** undefined = it was never usable. The last usable one stays in use while a newer one is faulty. */
  readonly shared: SharedConnection | undefined
  /** Of everything that the clients are made of. */
  readonly hash: string
  /** Who may use it; undefined = mirrors of the same namespace. */
  readonly allow: readonly AllowRule[] | undefined
  /** The same, as it was written with `shared`: a wider grant is one for an etcd that is faulty yet, perhaps another. */
  readonly allowInUse: readonly AllowRule[] | undefined
  /** 0 = nobody asks the operator to compact etcd. */
  readonly compactionMs: number
  /** Why what is written now cannot be used; undefined = it can. */
  readonly fault: ConnectionFault | undefined
}

/** Every connection by its key (`namespace/name`, `/name`); undefined = not looked at yet. */
export class Connections {
  readonly #states = new Map<string, ConnectionState>()

  get(key: string): ConnectionState | undefined {
    return this.#states.get(key)
  }

  set(key: string, state: ConnectionState): void {
    const before = this.#states.get(key)?.shared
    this.#states.set(key, state)
    if (before !== state.shared) before?.retire()
  }

  delete(key: string): boolean {
    this.#states.get(key)?.shared?.retire()
    return this.#states.delete(key)
  }

  /** Ends every client that no mirror uses any more, for good. */
  close(): void {
    for (const key of [...this.#states.keys()]) this.delete(key)
  }
}
