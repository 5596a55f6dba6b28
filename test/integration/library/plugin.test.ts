import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ContactSchema } from '../../../docs/examples/phonebook_pb.ts'
import { EtcdPlugin, type EtcdPluginOptions } from '../../../src/library/etcd-plugin.ts'
import type { KeyValueBroker } from '../../../src/library/key-value-broker.ts'
import type { KeyValueWatcher } from '../../../src/library/key-value-watcher.ts'
import { protoLayer } from '../../../src/library/proto/proto-layer.ts'
import { Resync } from '../../../src/library/resync.ts'
import { StatusCheck } from '../../../src/library/status-check.ts'
import type { LogFields, Logger } from '../../../src/util/logger.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { freePort } from '../../support/free-port.ts'
import { newPrefix, openConnection } from '../../support/library-rig.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames, Writer } from '../../support/writer.ts'

describe.each(['3.4', '3.5', '3.6', '3.7'] as const)('EtcdPlugin on etcd %s', (version) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
    return () => etcd[Symbol.asyncDispose]()
  })

  const PATIENCE = { timeoutMs: 60_000 }

  /** Closed at the end of the test. */
  function pluginWith<Broker = KeyValueBroker, Watcher = KeyValueWatcher>(
    options: EtcdPluginOptions<Broker, Watcher>,
  ): EtcdPlugin<Broker, Watcher> {
    const plugin = new EtcdPlugin(options)
    onTestFinished(() => plugin.close())
    return plugin
  }

  const connectedTo = (endpoint: string) => ({ endpoints: [endpoint], operationTimeoutMs: 30_000 })

  async function started(options: EtcdPluginOptions = {}): Promise<EtcdPlugin> {
    const plugin = pluginWith({ config: connectedTo(etcd.endpoint), ...options })
    await plugin.init()
    await plugin.afterInit()
    return plugin
  }

  /** A directory with this etcd.conf; none without a text. */
  async function configDir(conf?: string): Promise<string> {
    const directory = await makeTempDir('plugin')
    onTestFinished(() => directory[Symbol.asyncDispose]())
    const path = join(directory.path, 'conf')
    await mkdir(path)
    if (conf !== undefined) await writeFile(join(path, 'etcd.conf'), conf)
    return path
  }

  function logInto(lines: string[]): Logger {
    const log = (_fields: LogFields, message: string) => void lines.push(message)
    return { debug() {}, info: log, warn: log, error: log }
  }

  const code = (expected: string): object => expect.objectContaining({ code: expected })

  describe('EtcdPlugin.init', () => {
    test('reads etcd.conf below the directory of the configuration, and gives out prefixed brokers and watchers', async () => {
      const plugin = pluginWith({ configDir: await configDir(`endpoints: ["${etcd.endpoint}"]\n`) })
      await plugin.init()
      expect(plugin.disabled).toBe(false)
      const prefix = newPrefix()
      const watch = plugin.newWatcher(prefix).watch('')
      await watch.ready()
      expect(await plugin.putIfNotExists(`${prefix}a`, '1')).toBe(true)
      expect(await plugin.putIfNotExists(`${prefix}a`, '2')).toBe(false)
      expect((await plugin.newBroker(prefix).getValue('a'))?.value.toString()).toBe('1')
      for await (const event of watch) {
        expect([event.type, event.type === 'resync' ? '' : event.key.toString()]).toEqual(['put', 'a'])
        break
      }
      const revision = await plugin.connection.getRevision()
      expect(await plugin.compact()).toBe(revision)
      await expect(plugin.compact(revision)).rejects.toEqual(code('Compacted'))
    })

    test('is disabled when nothing says where etcd is', async () => {
      const lines: string[] = []
      const plugin = pluginWith({
        configDir: await configDir(),
        logger: logInto(lines),
        statusCheck: new StatusCheck(),
      })
      const early = plugin.onConnect(() => expect.unreachable())
      await plugin.init()
      await plugin.afterInit()
      expect(plugin.disabled).toBe(true)
      expect(lines).toEqual(['the plugin is disabled: there is no etcd.conf'])
      await expect(early).rejects.toEqual(code('NotConnected'))
      expect(() => plugin.newBroker('/')).toThrow(
        'Cannot use the plugin etcd: it is disabled, because there is no etcd.conf',
      )
    })

    test('a path that was given and leads nowhere is an error, not a disabled plugin (§9.15)', async () => {
      const plugin = pluginWith({ config: 'nowhere.conf', configDir: await configDir() })
      await expect(plugin.init()).rejects.toEqual(code('ConfigInvalid'))
      expect(plugin.disabled).toBe(false)
    })

    test.each([
      ['operation-timeout: soon\n', 'etcd.conf:1:20: operation-timeout'],
      ['cert-file: a.pem\n', 'needs its partner key-file'],
      ['endpoints: [\n', 'etcd.conf'],
    ])('a broken etcd.conf is an error that says where: %j', async (conf, message) => {
      const plugin = pluginWith({ configDir: await configDir(conf) })
      await expect(plugin.init()).rejects.toMatchObject({
        code: 'ConfigInvalid',
        message: expect.stringContaining(message),
      })
    })

    test('without etcd it fails, and can be tried again', async () => {
      const proxy = await startTcpProxy(etcd.clientPort)
      onTestFinished(() => proxy[Symbol.asyncDispose]())
      proxy.refuse()
      const plugin = pluginWith({ config: connectedTo(proxy.endpoint) })
      await expect(plugin.init()).rejects.toEqual(code('Unavailable'))
      expect(() => plugin.newBroker('/')).toThrow(code('NotConnected'))
      await proxy.accept()
      await plugin.init()
      expect(await plugin.connection.getRevision()).toBeGreaterThan(0)
      await expect(plugin.init()).rejects.toEqual(code('InvalidArgument'))
    })

    test('with allow-delayed-start it connects once etcd is there, runs what waits for that, and then resyncs', async () => {
      await using proxy = await startTcpProxy(etcd.clientPort)
      proxy.refuse()
      const order: string[] = []
      const resync = new Resync()
      resync.register('app', ({ reason }) => void order.push(`resync: ${reason}`))
      const statusCheck = new StatusCheck()
      const config = { ...connectedTo(proxy.endpoint), allowDelayedStart: true, reconnectIntervalMs: 10 }
      const plugin = pluginWith({ config, resync, statusCheck })
      const first = plugin.onConnect(() => void order.push('first'))
      await plugin.init()
      await plugin.afterInit()
      const second = plugin.onConnect(async () => {
        order.push(`second ${(await plugin.connection.getRevision()) > 0}`)
      })
      expect(statusCheck.status()).toMatchObject({ state: 'Error', plugins: [{ name: 'etcd', error: 'Unavailable' }] })
      expect(statusCheck.probe('liveness').statusCode).toBe(500)
      for (const use of [() => plugin.newBroker('/'), () => plugin.newWatcher('/'), () => plugin.connection]) {
        expect(use).toThrow('Cannot use the plugin etcd: it is not connected')
      }
      for (const use of [plugin.putIfNotExists('/a', '1'), plugin.compact(), plugin.campaign('/a')]) {
        await expect(use).rejects.toEqual(code('NotConnected'))
      }
      await proxy.accept()
      await Promise.all([first, second])
      await eventually(() => expect(order).toEqual(['first', 'second true', 'resync: delayed start']), PATIENCE)
      expect(statusCheck.probe('readiness').statusCode).toBe(200)
    })

    test('close ends a delayed start', async () => {
      const config = {
        ...connectedTo(`127.0.0.1:${await freePort()}`),
        allowDelayedStart: true,
        reconnectIntervalMs: 10,
      }
      const plugin = pluginWith({ config })
      const waiting = plugin.onConnect(() => expect.unreachable())
      await plugin.init()
      await plugin.close()
      await expect(waiting).rejects.toEqual(code('Closed'))
    })

    test('closed while it connects, it leaves nothing open', async () => {
      await using proxy = await startTcpProxy(etcd.clientPort)
      proxy.freeze('responses')
      const plugin = pluginWith({ config: connectedTo(proxy.endpoint) })
      const initialised = plugin.init()
      await expect(plugin.init()).rejects.toEqual(code('InvalidArgument'))
      await eventually(() => expect(proxy.connectionCount).toBe(1), PATIENCE)
      await plugin.close()
      await expect(initialised).rejects.toEqual(code('Closed'))
      // What is frozen does not see the end of the connection either.
      proxy.thaw()
      await eventually(() => expect(proxy.connectionCount).toBe(0), PATIENCE)
    })

    test('works for a user who may read one prefix alone', async () => {
      await using own = await startEtcd({ version })
      await enableAuth(own, { user: 'app', password: 'secret', role: 'reader', prefix: '/app/' })
      const passwordFile = join(await configDir(), 'password')
      await writeFile(passwordFile, 'secret')
      const config = { ...connectedTo(own.endpoint), username: 'app', passwordFile, insecureTransport: true }
      const statusCheck = new StatusCheck()
      const clock = new ManualClock()
      const lines: string[] = []
      const plugin = await started({ config, statusCheck, clock, logger: logInto(lines) })
      expect(await plugin.newBroker('/app/').getValue('a')).toBeUndefined()
      // A refusal is an answer: etcd is there.
      for (let poll = 0; poll < 3; poll++) {
        await eventually(() => expect(clock.sleepers).toBeGreaterThan(0), PATIENCE)
        clock.advance(5000)
        await eventually(() => expect(clock.sleepers).toBeGreaterThan(0), PATIENCE)
      }
      expect(lines).not.toContain('etcd does not answer')
      expect(statusCheck.status().state).toBe('Ok')
    })
  })

  describe('EtcdPlugin.onConnect', () => {
    test('runs at once when there is a connection, and surfaces what it throws', async () => {
      const lines: string[] = []
      const plugin = await started({ logger: logInto(lines) })
      let runs = 0
      await plugin.onConnect(() => void runs++)
      expect(runs).toBe(1)
      await expect(plugin.onConnect(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
      expect(lines).toContain('what was to run on connecting failed')
    })

    test('may be called from a callback, which may wait for it and use everything else (no re-entry deadlock)', async () => {
      const order: string[] = []
      const plugin = pluginWith({ config: connectedTo(etcd.endpoint) })
      const outer = plugin.onConnect(async () => {
        order.push('outer')
        await plugin.onConnect(async () => {
          await plugin.putIfNotExists(`${newPrefix()}a`, '1')
          order.push('inner')
        })
        order.push('outer goes on')
      })
      const next = plugin.onConnect(() => void order.push('next'))
      await plugin.init()
      await Promise.all([outer, next])
      expect(order).toEqual(['outer', 'inner', 'outer goes on', 'next'])
    })

    test('one that fails keeps no other from running; one may close the plugin', async () => {
      const plugin = pluginWith({ config: connectedTo(etcd.endpoint) })
      const failing = plugin.onConnect(() => {
        throw new Error('mine')
      })
      const closing = plugin.onConnect(() => plugin.close())
      await plugin.init()
      await expect(failing).rejects.toThrow('mine')
      await closing
      expect(() => plugin.connection).toThrow(code('Closed'))
    })

    test('runs once: not again after a reconnect', async () => {
      await using proxy = await startTcpProxy(etcd.clientPort)
      const statusCheck = new StatusCheck()
      const plugin = await started({ config: connectedTo(proxy.endpoint), statusCheck })
      let runs = 0
      await plugin.onConnect(() => void runs++)
      proxy.refuse()
      proxy.cut()
      await eventually(() => expect(statusCheck.status().state).toBe('Error'), PATIENCE)
      // Registered while etcd is away, it runs all the same.
      await plugin.onConnect(() => void runs++)
      await proxy.accept()
      await eventually(() => expect(statusCheck.status().state).toBe('Ok'), PATIENCE)
      expect(runs).toBe(2)
    })
  })

  describe('EtcdPlugin that loses etcd', () => {
    test('resync-after-reconnect has everybody read again, also after a cut of a moment (§9.5)', async () => {
      await using proxy = await startTcpProxy(etcd.clientPort)
      const reasons: string[] = []
      const resync = new Resync()
      resync.register('app', ({ reason }) => void reasons.push(reason))
      const lines: string[] = []
      const config = { ...connectedTo(proxy.endpoint), resyncAfterReconnect: true }
      await started({ config, resync, logger: logInto(lines) })
      // Its watch is open once the proxy has seen a second connection.
      await eventually(() => expect(proxy.connectionCount).toBeGreaterThan(1), PATIENCE)
      expect(reasons).toEqual([])
      proxy.cut()
      await eventually(() => expect(new Set(reasons)).toEqual(new Set(['reconnect'])), PATIENCE)
      expect(lines).toContain('etcd answers again')
    })

    test('without the option nobody is asked', async () => {
      await using proxy = await startTcpProxy(etcd.clientPort)
      const resync = new Resync()
      const reasons: string[] = []
      resync.register('app', ({ reason }) => void reasons.push(reason))
      const lines: string[] = []
      await started({ config: connectedTo(proxy.endpoint), resync, logger: logInto(lines) })
      await eventually(() => expect(proxy.connectionCount).toBeGreaterThan(1), PATIENCE)
      proxy.cut()
      await eventually(() => expect(lines).toContain('etcd answers again'), PATIENCE)
      // Behind every round that was asked for before.
      await resync.doResync('the end')
      expect(reasons).toEqual(['the end'])
    })
  })

  test('EtcdPlugin: auto-compact leaves the history of a period, and needs no mirror (§9.3)', async () => {
    await using own = await startEtcd({ version })
    using writer = await Writer.open(own.endpoint, '/app/')
    await writer.putMany(manyNames(1200))
    const clock = new ManualClock()
    const lines: string[] = []
    const config = { ...connectedTo(own.endpoint), autoCompactMs: 3_600_000 }
    await started({ config, clock, logger: logInto(lines) })
    await eventually(() => expect(clock.sleepers).toBeGreaterThan(1), PATIENCE)
    const seen = await writer.head()
    await writer.putMany(manyNames(1200))
    clock.advance(3_600_000)
    await eventually(() => expect(lines).toContain('compacted etcd'), PATIENCE)
    await own.etcdctl(['get', `--rev=${seen}`, 'x'])
    await expect(own.etcdctl(['get', '--rev=100', 'x'])).rejects.toThrow('compacted')
  })

  test('EtcdPlugin with a proto layer gives out messages, and expands variables when etcd.conf says so', async () => {
    const prefix = newPrefix()
    const connection = await openConnection(etcd.endpoint)
    await connection.put(`${prefix}a`, '{"name":"$NAME","company":"$UNSET"}')
    const names: string[] = []
    for (const conf of ['', 'expand-env-variables: true\n']) {
      const directory = await configDir(`endpoints: ["${etcd.endpoint}"]\n${conf}`)
      const plugin = pluginWith({ configDir: directory, serializer: protoLayer(undefined, { NAME: 'Ada' }) })
      await plugin.init()
      const found = (await plugin.newBroker(prefix).getValue('a', ContactSchema))?.message()
      names.push(`${found?.name} ${found?.company}`)
      await plugin.newBroker(prefix).put('b', ContactSchema, create(ContactSchema, { name: '$NAME' }))
    }
    expect(names).toEqual(['$NAME $UNSET', 'Ada $UNSET'])
    expect((await connection.getValue(`${prefix}b`))?.value.toString()).toBe('{"name":"$NAME"}')
  })

  test('EtcdPlugin.campaign: the next candidate leads once the first one has resigned', async () => {
    const [first, second] = [await started(), await started({ name: 'other' })]
    const name = `${newPrefix()}election`
    const leadership = await first.campaign(name)
    let hasLed = false
    const next = second.campaign(name).then((lead) => {
      hasLed = true
      return lead
    })
    await second.connection.getRevision()
    expect(hasLed).toBe(false)
    await leadership.resign()
    await (await next).resign()
    expect(leadership.lost.aborted).toBe(true)
  })

  test('EtcdPlugin.close leaves nothing open, is idempotent, and ends the use of what it gave out (§9.16)', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    const statusCheck = new StatusCheck()
    const plugin = await started({ config: connectedTo(proxy.endpoint), statusCheck })
    const broker = plugin.newBroker('/')
    await plugin.close()
    await plugin.close()
    await eventually(() => expect(proxy.connectionCount).toBe(0), PATIENCE)
    expect(statusCheck.status().plugins).toEqual([])
    await expect(broker.getValue('a')).rejects.toEqual(code('Closed'))
    await expect(plugin.onConnect(() => {})).rejects.toEqual(code('Closed'))
    await expect(plugin.init()).rejects.toEqual(code('InvalidArgument'))
  })
})
