import { afterEach, beforeEach, expect, test } from 'vitest'
import type { KubeClient } from '../../../src/kube/kube-client.ts'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { ResourceCache } from '../../../src/operator/resource-cache.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const KEY = 'shop/app'
const object = (uid: string, resourceVersion: string, spec = `as of ${resourceVersion}`): KubeObject => ({
  metadata: { namespace: 'shop', name: 'app', uid, resourceVersion },
  spec,
})

/** What the watch tells, one after the other. */
class Lines {
  #next = Promise.withResolvers<string>()

  /** Resolves once it was taken notice of. */
  async tell(type: string, told: KubeObject): Promise<void> {
    const { resolve } = this.#next
    this.#next = Promise.withResolvers()
    resolve(JSON.stringify({ type, object: told }))
    await new Promise((resolved) => setImmediate(resolved))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) yield await this.#next.promise
  }
}

let lines: Lines
let changed: string[]
let cache: ResourceCache
let stop: AbortController

/** Knows the version 10 of the object `one` by a list. */
beforeEach(async () => {
  lines = new Lines()
  changed = []
  stop = new AbortController()
  const client = {
    async *list() {
      yield { items: [object('one', '10')], resourceVersion: '10' }
    },
    watch: () => lines,
  }
  cache = new ResourceCache({
    client: client as unknown as KubeClient,
    resource: ETCD_MIRRORS,
    places: [{}],
    clock: new ManualClock(),
    logger: silentLogger,
    onChange: (key) => changed.push(key),
    onAccess: () => undefined,
  })
  void cache.run(stop.signal)
  await cache.listed()
  expect(changed.splice(0)).toEqual([KEY])
})
afterEach(() => stop.abort())

const spec = () => cache.get(KEY)?.spec

test('what a write was answered with counts at once; the watch that tells it later is no news', async () => {
  cache.answered(object('one', '11'))
  expect(spec()).toBe('as of 11')
  await lines.tell('MODIFIED', object('one', '11', 'told'))
  expect([spec(), changed]).toEqual(['as of 11', []])
  await lines.tell('MODIFIED', object('one', '12'))
  expect([spec(), changed]).toEqual(['as of 12', [KEY]])
})

test('an edit that the watch has told is not taken back by the answer to an earlier write', async () => {
  await lines.tell('MODIFIED', object('one', '12', 'edited'))
  cache.answered(object('one', '11'))
  expect(spec()).toBe('edited')
})

test('a version that the watch tells late does not take the place of a newer one', async () => {
  cache.answered(object('one', '12'))
  await lines.tell('MODIFIED', object('one', '9'))
  expect([spec(), changed]).toEqual(['as of 12', []])
})

test('what is deleted is not brought back by the answer to a write, also when it was made anew', async () => {
  await lines.tell('DELETED', object('one', '12'))
  cache.answered(object('one', '11'))
  expect(spec()).toBeUndefined()
  await lines.tell('ADDED', object('two', '13', 'another'))
  cache.answered(object('one', '14'))
  expect([spec(), changed]).toEqual(['another', [KEY, KEY]])
})
