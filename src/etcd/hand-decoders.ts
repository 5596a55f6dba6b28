import type { KeyValue } from './key-value.ts'
import type { RangeResponse, ResponseHeader, WatchEvent, WatchResponse } from './messages.ts'
import { WireReader } from './wire-reader.ts'

// Range and Watch responses carry the load: decoded by hand they cost half the CPU of the generated decoders and the
// conversion behind them (docs/adr/0003). Property tests hold them to the generated ones.

const EMPTY = Buffer.alloc(0)
const NO_HEADER: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 }
const NO_KEY_VALUE: KeyValue = { key: EMPTY, value: EMPTY, createRevision: 0, modRevision: 0, version: 0, lease: 0n }
const NO_WATCH_RESPONSE = {
  header: NO_HEADER,
  watchId: 0,
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  fragment: false,
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] }

/** `bytes` must not be changed afterwards: keys and values are views of it. Throws `ProtocolError`. */
export function decodeRangeResponse(bytes: Buffer): RangeResponse {
  const reader = new WireReader(bytes)
  const kvs: KeyValue[] = []
  let header = NO_HEADER
  let more = false
  let count = 0
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === 18) kvs.push(readKeyValue(reader))
    else if (tag === 10) header = readHeader(reader)
    else if (tag === 24) more = reader.bool()
    else if (tag === 32) count = reader.safeInteger()
    else reader.skip(tag)
  }
  return { header, kvs, more, count }
}

/** `bytes` must not be changed afterwards: keys and values are views of it. Throws `ProtocolError`. */
export function decodeWatchResponse(bytes: Buffer): WatchResponse {
  const reader = new WireReader(bytes)
  const events: WatchEvent[] = []
  const response = { ...NO_WATCH_RESPONSE, events }
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === 90) events.push(readEvent(reader))
    else readWatchField(reader, tag, response)
  }
  return response
}

function readWatchField(reader: WireReader, tag: number, response: Mutable<WatchResponse>): void {
  if (tag === 10) response.header = readHeader(reader)
  else if (tag === 16) response.watchId = reader.safeInteger()
  else if (tag === 24) response.created = reader.bool()
  else if (tag === 32) response.canceled = reader.bool()
  else if (tag === 40) response.compactRevision = reader.safeInteger()
  else if (tag === 50) response.cancelReason = reader.string()
  else if (tag === 56) response.fragment = reader.bool()
  else reader.skip(tag)
}

function readHeader(reader: WireReader): ResponseHeader {
  let { clusterId, memberId, revision, raftTerm } = NO_HEADER
  const outer = reader.enter()
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === 8) clusterId = reader.uint64()
    else if (tag === 16) memberId = reader.uint64()
    else if (tag === 24) revision = reader.safeInteger()
    else if (tag === 32) raftTerm = reader.safeInteger()
    else reader.skip(tag)
  }
  reader.leave(outer)
  return { clusterId, memberId, revision, raftTerm }
}

function readEvent(reader: WireReader): WatchEvent {
  let type: WatchEvent['type'] = 'put'
  let kv: KeyValue | undefined
  let prevKv: KeyValue | undefined
  const outer = reader.enter()
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === 8) type = reader.safeInteger() === 1 ? 'delete' : 'put'
    else if (tag === 18) kv = readKeyValue(reader)
    else if (tag === 26) prevKv = readKeyValue(reader)
    else reader.skip(tag)
  }
  reader.leave(outer)
  return { type, kv: kv ?? NO_KEY_VALUE, prevKv }
}

function readKeyValue(reader: WireReader): KeyValue {
  let key: Buffer = EMPTY
  let value: Buffer = EMPTY
  let createRevision = 0
  let modRevision = 0
  let version = 0
  let lease = 0n
  const outer = reader.enter()
  while (!reader.done) {
    const tag = reader.tag()
    if (tag === 10) key = reader.bytes()
    else if (tag === 16) createRevision = reader.safeInteger()
    else if (tag === 24) modRevision = reader.safeInteger()
    else if (tag === 32) version = reader.safeInteger()
    else if (tag === 42) value = reader.bytes()
    else if (tag === 48) lease = reader.int64()
    else reader.skip(tag)
  }
  reader.leave(outer)
  return { key, value, createRevision, modRevision, version, lease }
}
