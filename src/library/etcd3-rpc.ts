import type { RequestOf, ResponseOf, UnaryMethod } from '../etcd/methods.ts'
import type { CallOptions, EtcdRpc, WatchDuplex } from '../etcd/rpc.ts'
import { translateError } from '../etcd/translate-error.ts'
import { UnavailableError } from '../etcd/unavailable-error.ts'
import { abortable } from '../util/abortable.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Etcd3Client, Etcd3LeaseResponse, Etcd3Stream } from './etcd3-client.ts'
import * as message from './etcd3-messages.ts'
import { WatchQueue } from './watch-queue.ts'

const OPERATION_TIMEOUT_MS = 3000

interface Deadline {
  readonly deadline: number
}

type Calls = {
  readonly [Method in UnaryMethod]: (request: RequestOf<Method>, options: Deadline) => Promise<ResponseOf<Method>>
}

/**
 * `EtcdRpc` over a client of the npm package `etcd3`: its endpoints, credentials and retries. An aborted call is given up,
 * not canceled: the package has no way to.
 */
export class Etcd3Rpc implements EtcdRpc {
  readonly #client: Etcd3Client
  readonly #calls: Calls

  constructor(client: Etcd3Client) {
    this.#client = client
    this.#calls = callsOf(client)
  }

  async unary<Method extends UnaryMethod>(
    method: Method,
    request: RequestOf<Method>,
    { signal, timeoutMs = OPERATION_TIMEOUT_MS }: CallOptions,
  ): Promise<ResponseOf<Method>> {
    signal.throwIfAborted()
    // The package applies a deadline to each of its tries, not to all of them together.
    const limit = AbortSignal.timeout(timeoutMs)
    try {
      const call = this.#calls[method](request, { deadline: Date.now() + timeoutMs })
      return await abortable(call, AbortSignal.any([signal, limit]))
    } catch (error) {
      signal.throwIfAborted()
      if (limit.aborted) {
        throw new UnavailableError('DeadlineExceeded', `Cannot call etcd (${method}): no answer in time`, {
          cause: error,
        })
      }
      throw errorOf(error, `call etcd (${method})`)
    }
  }

  async watch({ signal }: { readonly signal: AbortSignal }): Promise<WatchDuplex> {
    signal.throwIfAborted()
    const opening = this.#client.watchClient.watch()
    try {
      return duplexOf(await abortable(opening, signal), signal)
    } catch (error) {
      opening.then((late) => late.cancel()).catch(() => {})
      signal.throwIfAborted()
      throw errorOf(error, 'watch etcd')
    }
  }
}

function callsOf({ kv, leaseClient, maintenance }: Etcd3Client): Calls {
  return {
    async range(request, options) {
      const response = await kv.range(message.fromRange(request), options)
      return { header: message.toHeader(response), ...message.toRange(response) }
    },
    async put(request, options) {
      const response = await kv.put(message.fromPut(request), options)
      return { header: message.toHeader(response), ...message.toPut(response) }
    },
    async deleteRange(request, options) {
      const response = await kv.deleteRange(message.fromDelete(request), options)
      return { header: message.toHeader(response), ...message.toDelete(response) }
    },
    async txn(request, options) {
      const response = await kv.txn(message.fromTxn(request), options)
      const { succeeded, responses } = response
      return { header: message.toHeader(response), succeeded, responses: responses.map(message.toResponseOp) }
    },
    compact: async (request, options) => ({ header: message.toHeader(await kv.compact(request, options)) }),
    async leaseGrant({ ttlSeconds }, options) {
      return toLease(await leaseClient.leaseGrant({ TTL: ttlSeconds }, options))
    },
    async leaseKeepAlive({ id }, { deadline }) {
      return toLease(await keepAliveOnce(await leaseClient.leaseKeepAlive(), id, deadline))
    },
    async leaseRevoke({ id }, options) {
      return { header: message.toHeader(await leaseClient.leaseRevoke({ ID: String(id) }, options)) }
    },
    async leaseTimeToLive({ id, keys = false }, options) {
      const response = await leaseClient.leaseTimeToLive({ ID: String(id), keys }, options)
      const grantedTtlSeconds = message.toNumber(response.grantedTTL)
      return { ...toLease(response), grantedTtlSeconds, keys: response.keys }
    },
    async status(_request, options) {
      if (maintenance === undefined) throw unsupported('status')
      const response = await maintenance.status(options)
      const { version, isLearner = false, errors = [] } = response
      return { header: message.toHeader(response), version, isLearner, errors }
    },
    memberList: () => Promise.reject(unsupported('memberList')),
    authenticate: () => Promise.reject(unsupported('authenticate')),
  }
}

function toLease(response: Etcd3LeaseResponse) {
  const { ID, TTL } = response
  return { header: message.toHeader(response), id: BigInt(ID), ttlSeconds: message.toNumber(TTL) }
}

function unsupported(method: string): EtcdMirrorError {
  return new EtcdMirrorError('InvalidRequest', `Cannot call etcd (${method}): the client does not offer it`, false)
}

async function keepAliveOnce(
  stream: Etcd3Stream<Etcd3LeaseResponse>,
  id: bigint,
  deadline: number,
): Promise<Etcd3LeaseResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<Etcd3LeaseResponse>()
  const late = setTimeout(() => reject(new Error('4 DEADLINE_EXCEEDED: no answer')), Math.max(1, deadline - Date.now()))
  stream.on('data', resolve)
  stream.on('error', reject)
  stream.on('end', () => reject(new Error('14 UNAVAILABLE: the stream has ended')))
  stream.write({ ID: String(id) })
  return await promise.finally(() => {
    clearTimeout(late)
    stream.cancel()
  })
}

function duplexOf(stream: Awaited<ReturnType<Etcd3Client['watchClient']['watch']>>, signal: AbortSignal): WatchDuplex {
  const queue = new WatchQueue(Number.POSITIVE_INFINITY)
  stream.on('data', (response) => {
    try {
      queue.push(message.toWatchResponse(response))
    } catch (error) {
      queue.fail(error)
    }
  })
  stream.on('error', (error) => queue.fail(errorOf(error, 'watch etcd')))
  stream.on('end', () => queue.fail(new UnavailableError('Unavailable', 'Cannot go on watching: the stream has ended')))
  const close = () => {
    signal.removeEventListener('abort', close)
    queue.fail(undefined)
    stream.cancel()
  }
  signal.addEventListener('abort', close, { once: true })
  if (signal.aborted) close()
  return {
    responses: queue.read(signal),
    create: (request) => void stream.write(message.fromWatchCreate(request)),
    cancel: (watchId) => void stream.write({ cancel_request: { watch_id: watchId } }),
    requestProgress: () => void stream.write({ progress_request: {} }),
    close,
  }
}

/** The package keeps only the text of gRPC's errors, "14 UNAVAILABLE: …". */
function errorOf(error: unknown, action: string): EtcdMirrorError {
  if (error instanceof EtcdMirrorError) return error
  const text = error instanceof Error ? error.message : ''
  const [, code, details] = /^(?:\w+Error: )?(\d+) [A-Z_]+: (.*)$/s.exec(text) ?? []
  if (code !== undefined && details !== undefined) {
    return translateError(Object.assign(new Error(text, { cause: error }), { code: Number(code), details }), action)
  }
  if (/already closed/.test(text)) return new EtcdMirrorError('Closed', `Cannot ${action}: the client is closed`, false)
  return new UnavailableError('Unavailable', `Cannot ${action}: ${text || 'the client failed'}`, { cause: error })
}
