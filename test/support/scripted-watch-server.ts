import { EventEmitter, on } from 'node:events'
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import Long from 'long'
import { etcdserverpb as pb } from '../../src/etcd/generated/rpc.js'
import { UNARY_CODECS } from '../../src/etcd/unary-codecs.ts'
import { freePort } from './free-port.ts'

/** One unary call as it arrived. */
export interface ScriptedCall {
  readonly method: string
  readonly token: string | undefined
  readonly hasLeader: boolean
  readonly request: Buffer
  /** Sends the bytes of a response; without an argument an empty one, at revision 0. */
  reply(response?: Uint8Array): void
  fail(code: number, details: string): void
  /** Resolves when the client gives the call up. */
  readonly cancelled: Promise<void>
}

export interface ScriptedEvent {
  readonly key: string
  readonly revision: number
  /** undefined = a delete. */
  readonly value?: string | Buffer | undefined
  /** Of a put; default 1. */
  readonly version?: number
  /** Of a put; default 0. */
  readonly createRevision?: number
}

export interface ScriptedResponse {
  /** Of the header. */
  readonly revision?: number
  readonly watchId?: number
  readonly created?: boolean
  readonly canceled?: boolean
  readonly compactRevision?: number
  readonly cancelReason?: string
  readonly fragment?: boolean
  readonly events?: readonly ScriptedEvent[]
}

/** A gRPC server that plays an etcd, sane or not, as a test writes it down. */
export async function startScriptedServer(): Promise<ScriptedServer> {
  const port = await freePort()
  const server = new ScriptedServer(port)
  await server.listen()
  return server
}

export class ScriptedServer implements AsyncDisposable {
  readonly port: number
  /** Every unary call, oldest first. */
  readonly calls: ScriptedCall[] = []
  /** Answers unary calls; default: an empty response to every one. */
  onCall: (call: ScriptedCall) => void = (call) => call.reply()
  readonly #streams: ScriptedStream[] = []
  readonly #wanted: ((stream: ScriptedStream) => void)[] = []
  readonly #server = new Server({ 'grpc.max_receive_message_length': -1 })

  constructor(port: number) {
    this.port = port
    const raw = {
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    }
    const unary = { ...raw, requestStream: false, responseStream: false }
    for (const [method, { path }] of Object.entries(UNARY_CODECS)) {
      this.#server.addService({ [method]: { ...unary, path } }, { [method]: this.#unary(method) })
    }
    const watch = { ...raw, path: '/etcdserverpb.Watch/Watch', requestStream: true, responseStream: true }
    this.#server.addService(
      { watch },
      { watch: (call: ServerDuplexStream<Buffer, Buffer>) => this.#opened(new ScriptedStream(call)) },
    )
  }

  /** host:port */
  get endpoint(): string {
    return `127.0.0.1:${this.port}`
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(this.endpoint, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      )
    })
  }

  /** The next watch stream that nobody asked for yet, once its watch was asked for. */
  async nextStream(): Promise<ScriptedStream> {
    const stream = this.#streams.shift() ?? (await new Promise<ScriptedStream>((resolve) => this.#wanted.push(resolve)))
    await stream.created
    return stream
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown()
  }

  #opened(stream: ScriptedStream): void {
    const wanted = this.#wanted.shift()
    if (wanted) wanted(stream)
    else this.#streams.push(stream)
  }

  #unary(method: string) {
    return (incoming: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      const { request, metadata } = incoming
      const call: ScriptedCall = {
        method,
        request,
        token: textOf(metadata, 'token'),
        hasLeader: textOf(metadata, 'hasleader') === 'true',
        cancelled: new Promise((resolve) => incoming.once('cancelled', resolve)),
        reply: (response = new Uint8Array()) => callback(null, Buffer.from(response)),
        fail: (code, details) => callback({ code, details }),
      }
      this.calls.push(call)
      this.onCall(call)
    }
  }
}

/** One watch stream, seen from the server. */
export class ScriptedStream {
  /** What the client asked for. */
  readonly created: Promise<{ readonly startRevision: number; readonly fragment: boolean; readonly key: Buffer }>
  /** Resolves when the client ends the stream, or the connection is lost. */
  readonly closed: Promise<void>
  readonly #call: ServerDuplexStream<Buffer, Buffer>
  readonly #progress: AsyncIterator<unknown>
  /** Requests for progress that `progressRequested` was not called for. */
  progressRequestsLeft = 0

  constructor(call: ServerDuplexStream<Buffer, Buffer>) {
    this.#call = call
    const { promise, resolve } = Promise.withResolvers<Awaited<typeof this.created>>()
    this.created = promise
    this.closed = new Promise((done) => {
      call.on('cancelled', () => done())
      call.on('end', () => done())
    })
    call.on('error', () => {})
    const requests = new EventEmitter()
    this.#progress = on(requests, 'progress')
    call.on('data', (bytes: Buffer) => {
      const { createRequest } = pb.WatchRequest.decode(bytes)
      if (createRequest) {
        const { startRevision, fragment, key } = createRequest
        resolve({
          startRevision: startRevision?.toNumber() ?? 0,
          fragment: fragment ?? false,
          key: Buffer.from(key ?? []),
        })
        return
      }
      this.progressRequestsLeft += 1
      requests.emit('progress')
    })
  }

  get metadata(): { readonly token: string | undefined; readonly hasLeader: boolean } {
    const { metadata } = this.#call
    return { token: textOf(metadata, 'token'), hasLeader: textOf(metadata, 'hasleader') === 'true' }
  }

  /** Resolves when the client has asked for progress once more than at the last call. */
  async progressRequested(): Promise<void> {
    await this.#progress.next()
    this.progressRequestsLeft -= 1
  }

  send(response: ScriptedResponse): void {
    this.sendBytes(encodeResponse(response))
  }

  sendBytes(bytes: Buffer): void {
    this.#call.write(bytes)
  }

  fail(code: number = status.UNAVAILABLE, details = 'the script says so'): void {
    this.#call.emit('error', Object.assign(new Error(details), { code, details }))
  }

  /** Ends the stream with status OK. */
  end(): void {
    this.#call.end()
  }
}

function textOf(metadata: Metadata, name: string): string | undefined {
  return metadata.get(name)[0]?.toString()
}

export function encodeResponse(response: ScriptedResponse): Buffer {
  const { revision = 0, watchId = 0, compactRevision = 0, events = [], ...rest } = response
  return Buffer.from(
    pb.WatchResponse.encode({
      ...rest,
      header: headerAt(revision),
      watchId: Long.fromNumber(watchId),
      compactRevision: Long.fromNumber(compactRevision),
      events: events.map(({ key, value, revision: modRevision, version = 1, createRevision = 0 }) => ({
        type: value === undefined ? 1 : 0,
        kv: {
          key: Buffer.from(key),
          modRevision: Long.fromNumber(modRevision),
          ...(value !== undefined && {
            value: Buffer.from(value),
            version: Long.fromNumber(version),
            createRevision: Long.fromNumber(createRevision),
          }),
        },
      })),
    }).finish(),
  )
}

export function headerAt(revision: number) {
  return {
    clusterId: Long.fromNumber(7, true),
    memberId: Long.fromNumber(8, true),
    revision: Long.fromNumber(revision),
    raftTerm: Long.fromNumber(2, true),
  }
}
