import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Client, connectivityState, type Metadata } from '@grpc/grpc-js'
import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { ownCopy } from '../util/own-copies.ts'
import { encodeWatchCancel, encodeWatchCreate, encodeWatchProgress } from './encode.ts'
import { decodeWatchResponse } from './hand-decoders.ts'
import type { WatchCreateRequest, WatchResponse } from './messages.ts'
import type { WatchDuplex } from './rpc.ts'
import { UnavailableError } from './unavailable-error.ts'

export interface OpenWatchOptions {
  readonly client: Client
  readonly metadata: Metadata
  readonly dialTimeoutMs: number
  /** From the opening of the stream to its first response. */
  readonly createTimeoutMs: number
  readonly signal: AbortSignal
  /** Told once when the stream fails by itself; what it returns is thrown to the reader. */
  readonly failed: (cause: unknown) => Promise<EtcdMirrorError>
}

/** One gRPC watch stream as a `WatchDuplex`. The abort reason is rethrown to the reader. */
export function openWatchDuplex(options: OpenWatchOptions): WatchDuplex {
  const { client, metadata, signal, failed } = options
  const call = client.makeBidiStreamRequest(
    '/etcdserverpb.Watch/Watch',
    (bytes: Buffer) => bytes,
    decodeWatchResponse,
    metadata,
  )
  let closed = false
  const close = () => {
    if (closed) return
    closed = true
    clearTimeout(dial)
    clearTimeout(creation)
    signal.removeEventListener('abort', close)
    call.cancel()
  }
  const dial = setTimeout(async () => {
    // After a busy moment the timer comes before the news that the connection is up.
    await nextTurn()
    if (closed || client.getChannel().getConnectivityState(false) === connectivityState.READY) return
    call.destroy(new UnavailableError('Unavailable', 'Cannot open a watch: no connection in time'))
  }, options.dialTimeoutMs)
  const creation = setTimeout(() => {
    call.destroy(new UnavailableError('DeadlineExceeded', 'Cannot watch: the server did not create the watch in time'))
  }, options.createTimeoutMs)
  // Without a listener an error that comes while nobody reads would end the process.
  call.on('error', () => {})
  signal.addEventListener('abort', close, { once: true })
  if (signal.aborted) close()

  async function* responses(): AsyncGenerator<WatchResponse> {
    try {
      for await (const response of call as AsyncIterable<WatchResponse>) {
        clearTimeout(creation)
        yield response
      }
      if (!closed) throw new UnavailableError('Unavailable', 'Cannot go on watching: the server ended the stream')
    } catch (cause) {
      signal.throwIfAborted()
      if (!closed) throw await failed(cause)
    } finally {
      close()
    }
  }

  return {
    responses: responses(),
    // grpc-js keeps what is sent first for as long as the stream is open.
    create: (request: WatchCreateRequest) => void call.write(ownCopy(encodeWatchCreate(request))),
    cancel: (watchId) => void call.write(encodeWatchCancel(watchId)),
    requestProgress: () => void call.write(encodeWatchProgress()),
    close,
  }
}
