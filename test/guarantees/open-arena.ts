import { makeTempDir } from '../support/temp-dir.ts'
import { eventually } from '../support/wait.ts'
import type { Arena } from './arena.ts'
import { writeCredentials } from './credentials.ts'
import { EngineUnderTest } from './engine-under-test.ts'
import { LASTING_KEY, PREFIX } from './key-space.ts'
import { MirrorUnderTest } from './mirror-under-test.ts'
import { Network } from './network.ts'
import { Observer } from './observer.ts'
import type { Random } from './random.ts'
import { Readers } from './readers.ts'
import type { Store } from './store.ts'
import { StoreWriter } from './store-writer.ts'
import { StreamRecorder } from './stream-recorder.ts'
import { Timeline } from './timeline.ts'
import { Workload } from './workload.ts'

/** Disposing of it ends and removes everything, the store too. */
export interface OpenArena extends Arena, AsyncDisposable {}

/** A store with a mirror that follows it through a network, with readers and writers at work. Takes the store over. */
export async function openArena(store: Store, random: Random): Promise<OpenArena> {
  await using stack = new AsyncDisposableStack()
  stack.use(store)
  const scratch = stack.use(await makeTempDir('guarantees'))
  const network = stack.use(await Network.inFrontOf(store.clientPorts))
  const { certificates } = store
  const credentials = stack.use(await writeCredentials(certificates !== undefined))
  const endpoints = (ports: readonly number[]) =>
    ports.map((port) => `${certificates ? 'https' : 'http'}://127.0.0.1:${port}`)
  const direct = { endpoints: endpoints(store.clientPorts), ...credentials.root, ...certificates?.steadyConf }
  const broken = { endpoints: endpoints(network.ports), ...credentials.reader }
  const conf = { ...broken, ...certificates?.steadyConf }
  const timeline = new Timeline()
  const observer = stack.use(await Observer.open(direct, PREFIX, timeline))
  const writer = stack.use(await StoreWriter.open(direct, PREFIX, timeline))
  await eventually(() => writer.put(LASTING_KEY, Buffer.from('from the beginning')), { timeoutMs: 60_000 })
  const verifyEvery = store.losesEvents ? '5s' : '1h'
  const mirror = stack.use(
    await MirrorUnderTest.make({ conf: { ...broken, ...certificates?.mirrorConf }, prefix: PREFIX, verifyEvery }),
  )
  mirror.start()
  const readers = stack.use(new Readers(mirror.root, random.fork('readers')))
  const stream = stack.use(await StreamRecorder.open(conf, PREFIX))
  const engine = stack.use(await EngineUnderTest.start({ conf, prefix: PREFIX, losesEvents: store.losesEvents }))
  const workload = stack.use(new Workload(writer, random.fork('workload')))
  const all = stack.move()
  return {
    ...{ store, network, mirror, readers, engine, stream, workload, timeline, observer, writer, scratch },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
