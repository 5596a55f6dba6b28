import type { KubeObject } from '../kube/kube-object.ts'
import { type ConnectionKind, connectionKey } from './connection-kind.ts'

const NONE: ReadonlySet<string> = new Set()

/** Which mirrors refer to which connection, as it stands in their specs, whatever else is wrong with these. */
export class ConnectionUsers {
  readonly #connections = new Map<string, string>()
  readonly #mirrors = new Map<string, Set<string>>()

  /** Has a mirror counted as it is now; undefined = it is gone. */
  note(key: string, mirror: KubeObject | undefined): void {
    const before = this.#connections.get(key)
    const connection = mirror && connectionOf(mirror)
    if (before === connection) return
    if (before !== undefined) this.#remove(key, before)
    if (connection !== undefined) this.#add(key, connection)
  }

  /** The keys of the mirrors that refer to a connection. */
  of(connection: string): ReadonlySet<string> {
    return this.#mirrors.get(connection) ?? NONE
  }

  #add(key: string, connection: string): void {
    const mirrors = this.#mirrors.get(connection) ?? new Set()
    mirrors.add(key)
    this.#mirrors.set(connection, mirrors)
    this.#connections.set(key, connection)
  }

  #remove(key: string, connection: string): void {
    const mirrors = this.#mirrors.get(connection)
    mirrors?.delete(key)
    if (mirrors?.size === 0) this.#mirrors.delete(connection)
    this.#connections.delete(key)
  }
}

function connectionOf({ metadata, spec }: KubeObject): string {
  const { connectionRef } = (spec ?? {}) as { connectionRef?: { kind?: ConnectionKind; name?: string } }
  const { kind = 'EtcdConnection', name = '' } = connectionRef ?? {}
  return connectionKey({ kind, name }, metadata.namespace ?? '')
}
