import { expect, test } from 'vitest'
import type { KeyValueBroker } from '../../../src/library/key-value-broker.ts'
import { KeyValueSync } from '../../../src/library/key-value-sync.ts'
import type { KeyValueWatcher, WatchEvent } from '../../../src/library/key-value-watcher.ts'

/** Nothing is stored at revision 1, and then these events. */
function scripted(events: readonly WatchEvent[]) {
  async function* nothing(): AsyncGenerator<never> {}
  async function* script(): AsyncGenerator<WatchEvent> {
    yield* events
  }
  const listing = { revision: async () => 1, [Symbol.asyncIterator]: nothing }
  const broker = { listValues: () => listing } as unknown as KeyValueBroker
  const watcher = { watch: () => ({ ready: async () => 1, [Symbol.asyncIterator]: script }) } as KeyValueWatcher
  return new KeyValueSync({ broker, watcher })
}

const event = (type: 'put' | 'delete', key: string, revision: number) =>
  ({ type, key: Buffer.from(key), value: type === 'put' ? Buffer.from('1') : undefined, revision }) as WatchEvent

// etcd itself tells of the delete of a key only if it was there; another KeyValueWatcher may not.
test('TestDeleteNonExisting: KeyValueSync does not tell of the delete of a key that nobody was told of', async () => {
  const sync = scripted([
    event('delete', 'a', 2),
    event('put', 'b', 3),
    event('delete', 'b', 4),
    event('delete', 'b', 5),
  ])
  const seen: string[] = []
  for await (const { type, revision } of sync.subscribe('test', [''])) {
    seen.push(`${type} ${revision}`)
    // The script ends, which a watch of etcd does not: the state is read again.
    if (seen.length === 4) break
  }
  expect(seen).toEqual(['resync 1', 'put 3', 'delete 4', 'resync 1'])
})

test('KeyValueSync: a resync of a subscription that has ended is refused, and does not wait for ever', async () => {
  const subscription = scripted([]).subscribe('test', [''])
  for await (const _ of subscription) break
  await expect(subscription.requestResync()).rejects.toMatchObject({ code: 'Closed' })
})
