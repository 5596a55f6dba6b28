import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

const TWO_28 = 2 ** 28
const TWO_56 = 2 ** 56

/**
 * Reads protobuf fields from one message. Reading past the end throws `ProtocolError`; nothing is ever allocated by a
 * length that the message merely claims. (https://protobuf.dev/programming-guides/encoding/)
 */
export class WireReader {
  readonly #bytes: Buffer
  #position: number
  #end: number

  constructor(bytes: Buffer, start = 0) {
    this.#bytes = bytes
    this.#position = start
    this.#end = bytes.length
  }

  get done(): boolean {
    return this.#position >= this.#end
  }

  /** Field number × 8 + wire type. */
  tag(): number {
    const tag = this.safeInteger()
    if (tag < 8 || tag > 0xffffffff) throw malformed('field number out of range')
    return tag
  }

  bool(): boolean {
    return this.safeInteger() !== 0
  }

  /** int64 or uint64 that must be a safe integer. */
  safeInteger(): number {
    const first = this.#byte()
    if (first < 0x80) return first
    const start = this.#position - 1
    let low = first & 0x7f
    let middle = 0
    for (let index = 1; index < 8; index++) {
      const byte = this.#byte()
      if (index < 4) low += (byte & 0x7f) * 2 ** (7 * index)
      else middle += (byte & 0x7f) * 2 ** (7 * (index - 4))
      if (byte < 0x80) return checked(low + middle * TWO_28)
    }
    const ninth = this.#byte()
    if (ninth < 0x80) return checked(low + middle * TWO_28 + ninth * TWO_56)
    // Ten bytes: negative, such as the watch id -1 of an answer to a progress request.
    this.#position = start
    return checked(Number(this.int64()))
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64())
  }

  uint64(): bigint {
    let result = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      result |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, result)
    }
    throw malformed('varint longer than 10 bytes')
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const end = this.#lengthEnd()
    const view = this.#bytes.subarray(this.#position, end)
    this.#position = end
    return view
  }

  string(): string {
    return this.bytes().toString('utf8')
  }

  /** Goes into the embedded message that starts here: it is `done` at its end. Returns what `leave` takes. */
  enter(): number {
    const outer = this.#end
    this.#end = this.#lengthEnd()
    return outer
  }

  /** Goes on behind the embedded message, once it is done. */
  leave(outer: number): void {
    this.#end = outer
  }

  /** Passes over a field this client does not know. */
  skip(tag: number): void {
    const wireType = tag & 7
    if (wireType === 0) this.uint64()
    else if (wireType === 1) this.#advance(8)
    else if (wireType === 2) this.#position = this.#lengthEnd()
    else if (wireType === 5) this.#advance(4)
    else throw malformed('unknown wire type')
  }

  #byte(): number {
    if (this.#position >= this.#end) throw malformed('truncated')
    return this.#bytes[this.#position++] as number
  }

  #advance(count: number): void {
    if (count > this.#end - this.#position) throw malformed('truncated')
    this.#position += count
  }

  #lengthEnd(): number {
    const length = this.safeInteger()
    if (length < 0 || length > this.#end - this.#position) throw malformed('truncated')
    return this.#position + length
  }
}

function checked(value: number): number {
  if (!Number.isSafeInteger(value)) throw malformed('integer beyond 2^53')
  return value
}

function malformed(state: string): EtcdMirrorError {
  return new EtcdMirrorError('ProtocolError', `Cannot decode etcd's response: ${state}`, true)
}
