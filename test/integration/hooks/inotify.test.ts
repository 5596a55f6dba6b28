import { watch } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'

test('docs/hooks.md: a consumer that watches the root hears of every publish and reads the whole of it', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using rig = await MirrorRig.make(etcd, { prefix: '/inotify/' })
  await rig.writer.txn({ a: '0', b: '0' })
  rig.run()
  await rig.settled()
  const pairs: string[] = []
  const read = async () => {
    const tree = await realpath(join(rig.root, 'current'))
    const values = await Promise.all(['a', 'b'].map((key) => readFile(join(tree, key), 'utf8')))
    pairs.push(values.join())
  }
  const watcher = watch(rig.root, (_event, name) => {
    // A tree that is gone by now has been replaced: the next event is about its successor.
    if (name === 'current') read().catch(() => undefined)
  })
  try {
    for (let change = 1; change <= 50; change++) await rig.writer.txn({ a: `${change}`, b: `${change}` })
    await eventually(() => expect(pairs.at(-1)).toBe('50,50'))
  } finally {
    watcher.close()
  }
  for (const pair of pairs) expect(pair).toMatch(/^(\d+),\1$/)
})
