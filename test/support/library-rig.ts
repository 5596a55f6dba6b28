import { Etcd3 } from 'etcd3'
import { onTestFinished } from 'vitest'
import type { ConnectionConfig } from '../../src/library/connection-config.ts'
import { EtcdConnection } from '../../src/library/etcd-connection.ts'
import type { Listing } from '../../src/library/key-value-broker.ts'
import type { KeyValueWatch, WatchEvent } from '../../src/library/key-value-watcher.ts'
import { eventually } from './wait.ts'

let scopes = 0

/** A prefix that no other test of this process has. */
export function newPrefix(): string {
  scopes += 1
  return `/scope${scopes}/`
}

/** Closed at the end of the test. */
export async function openConnection(endpoint: string, config: ConnectionConfig = {}): Promise<EtcdConnection> {
  const connection = await EtcdConnection.open({ endpoints: [endpoint], operationTimeoutMs: 30_000, ...config })
  onTestFinished(() => connection.close())
  return connection
}

/** On a client of the npm package, closed at the end of the test as well. */
export function openOnEtcd3(endpoint: string): EtcdConnection {
  const client = new Etcd3({ hosts: endpoint })
  const connection = EtcdConnection.usingClient(client, { operationTimeoutMs: 30_000 })
  onTestFinished(async () => {
    await connection.close()
    client.close()
  })
  return connection
}

/** The items with keys and values as text. */
export async function textsOf<Item extends { readonly key: Buffer; readonly value?: Buffer }>(
  listing: Listing<Item>,
): Promise<readonly (readonly [string, string | undefined])[]> {
  const texts: (readonly [string, string | undefined])[] = []
  for await (const { key, value } of listing) texts.push([key.toString(), value?.toString()])
  return texts
}

/** Collects the events of a watch in the background. */
export class WatchLog {
  readonly events: WatchEvent[] = []
  /** Resolves with what ended the watch; undefined = it ended without an error. */
  readonly ended: Promise<unknown>

  constructor(watch: KeyValueWatch) {
    this.ended = this.#collect(watch).catch((error: unknown) => error)
  }

  /** `put /a=1 (was 0)`, `delete /a`, `resync compacted`. */
  get lines(): readonly string[] {
    return this.events.map(lineOf)
  }

  async until(predicate: (events: readonly WatchEvent[]) => boolean): Promise<void> {
    await eventually(() => {
      if (!predicate(this.events)) throw new Error(`after ${this.events.length} events: ${this.lines.slice(-5)}`)
    }, PATIENCE)
  }

  async #collect(watch: KeyValueWatch): Promise<undefined> {
    for await (const event of watch) this.events.push(event)
  }
}

/** For what takes as long as it takes on a busy machine. */
export const PATIENCE = { timeoutMs: 90_000 }

function lineOf(event: WatchEvent): string {
  if (event.type === 'resync') return `resync ${event.reason}`
  const was = event.previousValue === undefined ? '' : ` (was ${event.previousValue})`
  return event.type === 'put' ? `put ${event.key}=${event.value}${was}` : `delete ${event.key}${was}`
}
