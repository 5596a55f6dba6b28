import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, test } from 'vitest'
import { ContactSchema } from '../../../docs/examples/phonebook_pb.ts'
import { binarySerializer } from '../../../src/library/proto/binary-serializer.ts'
import { JsonSerializer } from '../../../src/library/proto/json-serializer.ts'
import { ProtoWrapper } from '../../../src/library/proto/proto-wrapper.ts'
import { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection } from '../../support/library-rig.ts'

describe.each(['3.4', '3.5', '3.6', '3.7'] as const)('messages on etcd %s', (version) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
    return () => etcd[Symbol.asyncDispose]()
  })

  const contactOf = (init: MessageInitShape<typeof ContactSchema>) => create(ContactSchema, init)
  const ada = contactOf({ name: 'Ada', labels: { b: '2', a: '1' } })
  const bob = contactOf({ name: 'Bob' })

  function nameOrCode(read: () => { readonly name: string }): string {
    try {
      return read().name
    } catch (error) {
      return error instanceof EtcdMirrorError ? error.code : String(error)
    }
  }

  describe.each([
    ['JSON', new JsonSerializer()],
    ['binary', binarySerializer],
  ])('ProtoWrapper with the %s serializer', (_name, serializer) => {
    async function open() {
      const connection = await openConnection(etcd.endpoint)
      const wrapper = new ProtoWrapper(connection, serializer)
      const prefix = newPrefix()
      return { connection, wrapper, prefix, broker: wrapper.newBroker(prefix), watcher: wrapper.newWatcher(prefix) }
    }

    test('put, getValue, getValueRev and delete: a root put is seen by the prefixed get', async () => {
      const { wrapper, prefix, broker } = await open()
      const revision = await wrapper.put(`${prefix}ada`, ContactSchema, ada)
      const found = await broker.getValue('ada', ContactSchema)
      expect(found?.message()).toEqual(ada)
      expect([found?.key.toString(), found?.revision]).toEqual(['ada', revision])
      await broker.put('ada', ContactSchema, bob)
      expect((await broker.getValueRev('ada', ContactSchema, revision))?.message()).toEqual(ada)
      expect(await broker.getValue('nobody', ContactSchema)).toBeUndefined()
      expect(await broker.delete('ada')).toBe(true)
      expect(await broker.delete('ada')).toBe(false)
    })

    test('listValues, listValuesRange and listKeys are sorted, trimmed, and all at one revision', async () => {
      const { broker } = await open()
      for (const name of ['c', 'a', 'b']) await broker.put(name, ContactSchema, contactOf({ name }))
      const list = broker.listValues('', ContactSchema)
      const revision = await list.revision()
      await broker.put('d', ContactSchema, bob)
      const names: string[] = []
      for await (const item of list) names.push(`${item.key}=${item.message().name}`)
      expect(names).toEqual(['a=a', 'b=b', 'c=c'])
      const range: string[] = []
      for await (const item of broker.listValuesRange('a', 'c', ContactSchema, { revision }))
        range.push(item.message().name)
      expect(range).toEqual(['a', 'b'])
      const keys: string[] = []
      for await (const { key } of broker.listKeys('')) keys.push(key.toString())
      expect(keys).toEqual(['a', 'b', 'c', 'd'])
    })

    test('a value that is no message spoils neither the list nor the watch it is in', async () => {
      const { connection, prefix, broker, watcher } = await open()
      const watch = watcher.watch('', ContactSchema)
      await watch.ready()
      await connection.put(`${prefix}a`, '\x01 no message')
      await broker.put('b', ContactSchema, ada)
      const results: string[] = []
      for await (const item of broker.listValues('', ContactSchema)) results.push(nameOrCode(() => item.message()))
      expect(results).toEqual(['InvalidMessage', 'Ada'])
      await expect(broker.getValue('a', ContactSchema)).rejects.toMatchObject({
        code: 'InvalidMessage',
        message: expect.stringContaining('Cannot read phonebook.Contact at key "a"'),
      })
      const seen: string[] = []
      for await (const event of watch) {
        if (event.type === 'put') seen.push(nameOrCode(() => event.message()))
        if (seen.length === 2) break
      }
      expect(seen).toEqual(['InvalidMessage', 'Ada'])
    })

    test('watch delivers messages with the ones before, and a delete without one', async () => {
      const { broker, watcher } = await open()
      const watch = watcher.watch('', ContactSchema)
      await watch.ready()
      await broker.put('a', ContactSchema, ada)
      await broker.put('a', ContactSchema, bob)
      await broker.delete('a')
      const seen: unknown[] = []
      for await (const event of watch) {
        if (event.type === 'resync') throw new Error('nothing was compacted')
        seen.push([event.type, event.type === 'put' ? event.message().name : undefined, event.previousMessage()?.name])
        if (seen.length === 3) break
      }
      expect(seen).toEqual([
        ['put', 'Ada', undefined],
        ['put', 'Bob', 'Ada'],
        ['delete', undefined, 'Bob'],
      ])
    })

    test('newTxn writes at one revision, and nothing when one of its messages is none', async () => {
      const { broker } = await open()
      const revision = await broker
        .newTxn()
        .put('a', ContactSchema, ada)
        .put('b', ContactSchema, bob)
        .delete('c')
        .commit()
      expect((await broker.getValue('b', ContactSchema))?.revision).toBe(revision)
      const txn = broker.newTxn().delete('a')
      expect(() => txn.put('b', ContactSchema, { name: 'no message' } as never)).toThrow(
        expect.objectContaining({ code: 'InvalidMessage' }),
      )
      expect((await broker.getValue('a', ContactSchema))?.revision).toBe(revision)
    })

    test('putIfNotExists, compareAndSwap and compareAndDelete compare what is written', async () => {
      const { broker } = await open()
      const same = contactOf({
        name: 'Ada',
        labels: serializer === binarySerializer ? { b: '2', a: '1' } : { a: '1', b: '2' },
      })
      expect(await broker.putIfNotExists('a', ContactSchema, ada)).toBe(true)
      expect(await broker.putIfNotExists('a', ContactSchema, bob)).toBe(false)
      expect(await broker.compareAndSwap('a', ContactSchema, bob, ada)).toBe(false)
      expect(await broker.compareAndSwap('a', ContactSchema, same, bob)).toBe(true)
      expect(await broker.compareAndDelete('a', ContactSchema, ada)).toBe(false)
      expect(await broker.compareAndDelete('a', ContactSchema, bob)).toBe(true)
    })

    test.each([undefined, null, 'text', 7, {}])('refuses %j before anything is sent', async (message) => {
      const { broker, connection } = await open()
      const before = await connection.getRevision()
      const wrong = message as never
      for (const action of [
        broker.put('a', ContactSchema, wrong),
        broker.putIfNotExists('a', ContactSchema, wrong),
        broker.compareAndSwap('a', ContactSchema, ada, wrong),
        broker.compareAndSwap('a', ContactSchema, wrong, ada),
        broker.compareAndDelete('a', ContactSchema, wrong),
      ]) {
        await expect(action).rejects.toMatchObject({ code: 'InvalidMessage' })
      }
      expect(await connection.getRevision()).toBe(before)
    })
  })

  test('ProtoWrapper: binary by default; close closes the connection', async () => {
    const connection = await openConnection(etcd.endpoint)
    const wrapper = new ProtoWrapper(connection)
    const key = `${newPrefix()}a`
    await wrapper.put(key, ContactSchema, ada)
    expect((await connection.getValue(key))?.value).toEqual(Buffer.from(binarySerializer.marshal(ContactSchema, ada)))
    await wrapper.close()
    await expect(wrapper.getValue(key, ContactSchema)).rejects.toMatchObject({ code: 'Closed' })
    await expect(connection.getRevision()).rejects.toMatchObject({ code: 'Closed' })
  })
})
