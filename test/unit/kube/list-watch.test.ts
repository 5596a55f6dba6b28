import { expect, test } from 'vitest'
import type { KubeClient } from '../../../src/kube/kube-client.ts'
import { KubeError } from '../../../src/kube/kube-error.ts'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ListWatch } from '../../../src/kube/list-watch.ts'
import { systemClock } from '../../../src/util/clock.ts'

const line = (type: string, name: string, resourceVersion: string) =>
  JSON.stringify({ type, object: { metadata: { name, resourceVersion } } })

/** Each watch gives the lines of one entry; an error is thrown after them. */
async function follow(watches: readonly (readonly (string | Error)[])[]) {
  const seen: string[] = []
  const from: string[] = []
  const stop = new AbortController()
  let lists = 0
  let pauses = 0
  const sleep = async () => {
    pauses += 1
  }
  const client = {
    async *list() {
      lists += 1
      yield { items: [], resourceVersion: `list-${lists}` }
    },
    async *watch(_query: unknown, { resourceVersion }: { resourceVersion: string }) {
      const lines = watches[from.length]
      from.push(resourceVersion)
      if (lines === undefined) return stop.abort()
      for (const each of lines) {
        if (each instanceof Error) throw each
        yield each
      }
    },
  }
  await new ListWatch({
    client: client as unknown as KubeClient,
    query: { resource: CONFIG_MAPS, namespace: 'default' },
    clock: { ...systemClock, sleep },
    onList: () => seen.push('list'),
    onChange: ({ metadata }) => seen.push(`change ${metadata.name}`),
    onDelete: ({ metadata }) => seen.push(`delete ${metadata.name}`),
    onError: ({ message }) => seen.push(message),
  }).run(stop.signal)
  return { seen, from, pauses }
}

test('goes on where a watch ended, also behind a bookmark', async () => {
  const bookmark = JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } })
  const { seen, from } = await follow([[line('ADDED', 'a', '5')], [line('DELETED', 'a', '7'), bookmark], []])
  expect(from).toEqual(['list-1', '5', '9', '9'])
  expect(seen).toEqual(['list', 'change a', 'delete a'])
})

test('lists again after 410 Gone, as an answer or as a line', async () => {
  const gone = JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })
  const { seen, from } = await follow([[line('ADDED', 'a', '5'), gone], [new KubeError('KubeGone', 'gone')], []])
  expect(from).toEqual(['list-1', 'list-2', 'list-3', 'list-3'])
  expect(seen).toEqual(['list', 'change a', 'list', 'list'])
})

test('lists again where the kind was not served for a while', async () => {
  const { seen, from } = await follow([[line('ADDED', 'a', '5'), new KubeError('KubeNotFound', 'no such kind')], []])
  expect(from).toEqual(['list-1', 'list-2', 'list-2'])
  expect(seen).toEqual(['list', 'change a', 'no such kind', 'list'])
})

test('survives a broken connection and answers that are no watch', async () => {
  const broken = new KubeError('KubeUnavailable', 'broken')
  const { seen, from } = await follow([[line('ADDED', 'a', '5'), broken], ['<html>'], [line('MODIFIED', 'b', '6')]])
  expect(from).toEqual(['list-1', '5', '5', '6'])
  expect(seen).toEqual(['list', 'change a', 'broken', 'Cannot watch configmaps: the answer cannot be read', 'change b'])
})

test('a watch that ends without a line is not opened again without a pause', async () => {
  const { from, pauses } = await follow([[], [line('ADDED', 'a', '5')], [], []])
  expect(from).toEqual(['list-1', 'list-1', '5', '5', '5'])
  // Of five watches all but one.
  expect(pauses).toBe(4)
})
