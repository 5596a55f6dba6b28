import type { RequestOf, ResponseOf, UnaryMethod } from '../etcd/methods.ts'
import type { CallOptions, EtcdRpc } from '../etcd/rpc.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { checkPositive } from './arguments.ts'
import type { OperationOptions } from './key-value-broker.ts'

/** The calls of one connection: checked options, the connection's deadline, and an end when the connection is closed. */
export class Operations {
  readonly rpc: EtcdRpc
  readonly #operationTimeoutMs: number
  readonly #closing = new AbortController()

  constructor(rpc: EtcdRpc, operationTimeoutMs: number) {
    this.rpc = rpc
    this.#operationTimeoutMs = operationTimeoutMs
  }

  /** Aborts with `Closed` when the connection is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** Every call rejects with `Closed` from now on. */
  close(): void {
    this.#closing.abort(new EtcdMirrorError('Closed', 'Cannot use the etcd connection: it is closed', false))
  }

  /** Rejects with `Closed`, `InvalidArgument`, the abort reason, and what `EtcdRpc.unary` rejects with. */
  async unary<Method extends UnaryMethod>(
    method: Method,
    request: RequestOf<Method>,
    options: OperationOptions = {},
  ): Promise<ResponseOf<Method>> {
    return await this.rpc.unary(method, request, this.callOptions(options))
  }

  /** Throws `Closed`, `InvalidArgument` and the abort reason. */
  callOptions({ signal, timeoutMs }: OperationOptions = {}): Required<CallOptions> {
    checkPositive(timeoutMs, 'timeoutMs')
    const combined = this.signalOf(signal)
    combined.throwIfAborted()
    return { signal: combined, timeoutMs: timeoutMs ?? this.#operationTimeoutMs }
  }

  /** Aborts with the connection and with `signal`. */
  signalOf(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.closed : AbortSignal.any([this.closed, signal])
  }
}
