import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MAX_KEY_BYTES } from '../../../src/library/arguments.ts'
import { EtcdConnection } from '../../../src/library/etcd-connection.ts'
import type { Bytes } from '../../../src/library/key-value-broker.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection, textsOf, WatchLog } from '../../support/library-rig.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

let etcd: EtcdServer

beforeAll(async () => {
  // The limits that etcd has when nobody sets them.
  etcd = await startEtcd({ version: '3.6', flags: ['--max-txn-ops=128', '--max-request-bytes=1572864'] })
})

afterAll(async () => {
  await etcd[Symbol.asyncDispose]()
})

/** Each with the code it is refused with before anything is sent. */
const REFUSED: readonly (readonly [string, string, (connection: EtcdConnection) => unknown])[] = [
  ['put of an empty key', 'EmptyKey', (c) => c.put('', 'x')],
  ['get of an empty key', 'EmptyKey', (c) => c.getValue('')],
  ['delete of an empty key', 'EmptyKey', (c) => c.delete('')],
  ['an empty key of a prefixed broker', 'EmptyKey', (c) => c.newBroker('/a/').put('', 'x')],
  ['compare and swap of an empty key', 'EmptyKey', (c) => c.compareAndSwap('', 'x', 'y')],
  ['an empty key in a txn', 'EmptyKey', (c) => c.newTxn().put('', 'x')],
  ['an election without a name', 'EmptyKey', (c) => c.campaign('')],
  ['a range without an end', 'EmptyKey', (c) => c.listValuesRange('a', '')],
  ['a key over the limit', 'KeyTooLarge', (c) => c.put('k'.repeat(MAX_KEY_BYTES + 1), 'x')],
  [
    'a key over the limit with its prefix',
    'KeyTooLarge',
    (c) => c.newBroker('/a/').getValue('k'.repeat(MAX_KEY_BYTES)),
  ],
  ['a negative revision', 'InvalidRevision', (c) => c.getValueRev('a', -1)],
  ['half a revision', 'InvalidRevision', (c) => c.listValues('a', { revision: 1.5 })],
  ['a watch from a negative revision', 'InvalidRevision', (c) => c.watch('a', { fromRevision: -1 })],
  ['a compaction of revision 0', 'InvalidRevision', (c) => c.compact(0)],
  ['two puts of one key in a txn', 'DuplicateKey', (c) => c.newTxn().put('a', '1').put('a', '2')],
  ['a put and a delete of one key', 'DuplicateKey', (c) => c.newTxn().put('a', '1').delete('a')],
  ['a delete and a put of one key', 'DuplicateKey', (c) => c.newTxn().delete('a').put('a', '1')],
  ['a put below a deleted prefix', 'DuplicateKey', (c) => c.newTxn().delete('a', { prefix: true }).put('ab', '1')],
  ['a delete of the prefix of a put', 'DuplicateKey', (c) => c.newTxn().put('ab', '1').delete('a', { prefix: true })],
  ['a key that is a number', 'InvalidArgument', (c) => c.put(1 as unknown as Bytes, 'x')],
  ['a value that is an object', 'InvalidArgument', (c) => c.put('a', {} as unknown as Bytes)],
  ['a key that is half a character', 'InvalidArgument', (c) => c.put('a\ud800', 'x')],
  ['a time to live of 0', 'InvalidArgument', (c) => c.put('a', 'x', { ttlSeconds: 0 })],
  ['two lives', 'InvalidArgument', (c) => c.put('a', 'x', { ttlSeconds: 1, clientLifetime: true })],
  ['a timeout of 0', 'InvalidArgument', (c) => c.getValue('a', { timeoutMs: 0 })],
  ['a watch of nothing', 'InvalidArgument', (c) => c.watch([])],
]

test.each(REFUSED)('%s is refused with %s, and nothing is written', async (_what, code, call) => {
  const connection = await openConnection(etcd.endpoint)
  const before = await connection.getRevision()
  await expect((async () => await call(connection))()).rejects.toMatchObject({ name: 'EtcdMirrorError', code })
  expect(await connection.getRevision()).toBe(before)
})

test('a future revision is refused with FutureRevision, also for a watch', async () => {
  const connection = await openConnection(etcd.endpoint)
  const future = (await connection.getRevision()) + 1000
  await expect(connection.getValueRev('a', future)).rejects.toMatchObject({ code: 'FutureRevision' })
  await expect(textsOf(connection.listValues('a', { revision: future }))).rejects.toMatchObject({
    code: 'FutureRevision',
  })
  const watch = connection.watch('a', { fromRevision: future })
  await expect(watch.ready()).rejects.toMatchObject({ code: 'FutureRevision' })
  expect(await new WatchLog(watch).ended).toMatchObject({ code: 'FutureRevision' })
})

test('too many operations are refused with TooManyOperations and none of them happens', async () => {
  const connection = await openConnection(etcd.endpoint)
  const prefix = newPrefix()
  const txn = connection.newTxn()
  for (let count = 0; count < 129; count += 1) txn.put(`${prefix}${count}`, 'x')
  await expect(txn.commit()).rejects.toMatchObject({ code: 'TooManyOperations', retryable: false })
  expect(await textsOf(connection.listKeys(prefix))).toEqual([])
})

test('a request over the limit of the server is refused with RequestTooLarge', async () => {
  const connection = await openConnection(etcd.endpoint)
  const value = Buffer.alloc(1_600_000)
  await expect(connection.put(`${newPrefix()}a`, value)).rejects.toMatchObject({ code: 'RequestTooLarge' })
})

test('deletes of one key may come twice in a txn, and an empty txn is one', async () => {
  const connection = await openConnection(etcd.endpoint)
  const prefix = newPrefix()
  await connection.put(`${prefix}a`, '1')
  await connection.newTxn().delete(`${prefix}a`).delete(`${prefix}a`).delete(prefix, { prefix: true }).commit()
  expect(await connection.getValue(`${prefix}a`)).toBeUndefined()
  expect(await connection.newTxn().commit()).toBeGreaterThan(0)
})

test('a txn holds what was put, whatever happens to the bytes afterwards, and a second commit repeats it', async () => {
  const connection = await openConnection(etcd.endpoint)
  const key = Buffer.from(`${newPrefix()}a`)
  const name = key.toString()
  const value = Buffer.from('one')
  const txn = connection.newTxn().put(key, value)
  key.fill(0)
  value.fill(0)
  const first = await txn.commit()
  expect((await connection.getValue(name))?.value.toString()).toBe('one')
  expect(await txn.commit()).toBeGreaterThan(first)
})

test('keys and values are bytes: what is not text comes back as it is', async () => {
  const connection = await openConnection(etcd.endpoint)
  const broker = connection.newBroker(newPrefix())
  const key = Buffer.from([0xff, 0x00, 0x80])
  const value = new Uint8Array([0, 255, 1])
  await broker.put(key, value)
  expect(await broker.getValue(key)).toMatchObject({ key, value: Buffer.from(value) })
})

test('a ttl ends the key, and a put that fails leaves no lease', async () => {
  const connection = await openConnection(etcd.endpoint)
  const key = `${newPrefix()}a`
  const watch = connection.watch(key)
  const log = new WatchLog(watch)
  await watch.ready()
  await connection.put(key, 'x', { ttlSeconds: 0.5 })
  await log.until(({ length }) => length === 2)
  expect(log.lines).toEqual([`put ${key}=x`, `delete ${key} (was x)`])
  await expect(connection.put(key, Buffer.alloc(1_600_000), { ttlSeconds: 3600 })).rejects.toMatchObject({
    code: 'RequestTooLarge',
  })
  await expect.poll(() => etcd.etcdctl(['lease', 'list']), { timeout: 60_000 }).toMatch(/found 0 leases/)
})

test('open takes the path of an etcd.conf and tells what is wrong with it by line', async () => {
  await using directory = await makeTempDir('conf')
  const path = `${directory.path}/etcd.conf`
  const warnings: unknown[] = []
  const logger = { debug() {}, info() {}, warn: (fields: unknown) => warnings.push(fields), error() {} }
  await writeFile(path, `endpoints: ["${etcd.endpoint}"]\noperation-timeout: 30s\nendpoint: x\n`)
  await using connection = await EtcdConnection.open(path, { logger })
  expect(await connection.getRevision()).toBeGreaterThan(0)
  expect(JSON.stringify(warnings)).toContain('did you mean')
  await writeFile(path, 'operation-timeout: soon\n')
  await expect(EtcdConnection.open(path)).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: expect.stringContaining(`${path}:1:20: operation-timeout`),
  })
  await expect(EtcdConnection.open(`${directory.path}/none.conf`)).rejects.toMatchObject({ code: 'ConfigInvalid' })
})

test('§9.15 open refuses settings that contradict each other', async () => {
  await expect(EtcdConnection.open({ certFile: '/a' })).rejects.toMatchObject({
    code: 'ConfigInvalid',
    message: 'Cannot connect to etcd: cert-file needs its partner key-file',
  })
  await expect(EtcdConnection.open({ endpoints: ['ftp://x'] })).rejects.toMatchObject({ code: 'ConfigInvalid' })
  await expect(EtcdConnection.open({ operationTimeoutMs: -1 })).rejects.toMatchObject({ code: 'InvalidArgument' })
})
