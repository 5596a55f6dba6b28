import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { AuthError } from '../../../src/etcd/auth-error.ts'
import { CompactedError } from '../../../src/etcd/compacted-error.ts'
import { isTokenError, translateError, wasNeverSent } from '../../../src/etcd/translate-error.ts'
import { UnavailableError } from '../../../src/etcd/unavailable-error.ts'
import type { ErrorCode } from '../../../src/util/etcd-mirror-error.ts'

const { UNAVAILABLE, RESOURCE_EXHAUSTED, INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE, INTERNAL } = status

// etcd's texts stand in api/v3rpc/rpctypes/error.go, grpc-js's in its internal-channel, picker and stream decoder.
const TEXTS: readonly (readonly [code: status, details: string, expected: ErrorCode, retryable: boolean])[] = [
  [OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted', 'Compacted', false],
  [OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision', 'FutureRevision', false],
  [RESOURCE_EXHAUSTED, 'Received message larger than max (7625029 vs 4194304)', 'MessageTooLarge', true],
  [RESOURCE_EXHAUSTED, 'grpc: trying to send message larger than max (5 vs. 4)', 'MessageTooLarge', true],
  [RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded', 'NoSpace', false],
  [RESOURCE_EXHAUSTED, 'etcdserver: too many requests', 'ServerBusy', true],
  [RESOURCE_EXHAUSTED, 'Bandwidth exhausted or memory limit exceeded', 'Unavailable', true],
  [RESOURCE_EXHAUSTED, 'something new', 'ServerBusy', true],
  [UNAVAILABLE, 'etcdserver: no leader', 'NoLeader', true],
  [FAILED_PRECONDITION, 'etcdserver: not leader', 'NoLeader', true],
  [UNAVAILABLE, 'etcdserver: leader changed', 'Unavailable', true],
  [UNAVAILABLE, 'etcdserver: request timed out', 'Unavailable', true],
  [UNAVAILABLE, 'etcdserver: request timed out, possibly due to previous leader failure', 'Unavailable', true],
  [UNAVAILABLE, 'etcdserver: request timed out, waiting for the applied index took too long', 'Unavailable', true],
  [UNAVAILABLE, 'etcdserver: server stopped', 'Unavailable', true],
  [UNAVAILABLE, 'etcdserver: not capable', 'Unavailable', true],
  [UNAVAILABLE, 'etcdserver: unhealthy cluster', 'Unavailable', true],
  [UNAVAILABLE, 'etcdserver: rpc not supported for learner', 'Learner', true],
  [status.DATA_LOSS, 'etcdserver: corrupt cluster', 'Corrupt', true],
  [status.DATA_LOSS, 'something new', 'Corrupt', true],
  [status.PERMISSION_DENIED, 'etcdserver: permission denied', 'PermissionDenied', true],
  [status.UNAUTHENTICATED, 'etcdserver: invalid auth token', 'AuthenticationFailed', true],
  [INVALID_ARGUMENT, 'etcdserver: user name is empty', 'AuthenticationFailed', true],
  [INVALID_ARGUMENT, 'etcdserver: revision of auth store is old', 'AuthenticationFailed', true],
  [INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password', 'AuthenticationFailed', true],
  [INVALID_ARGUMENT, 'etcdserver: invalid auth management', 'AuthenticationFailed', true],
  [FAILED_PRECONDITION, 'etcdserver: user name not found', 'AuthenticationFailed', true],
  [FAILED_PRECONDITION, 'etcdserver: authentication is not enabled', 'InvalidRequest', false],
  [INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request', 'DuplicateKey', false],
  [INVALID_ARGUMENT, 'etcdserver: request is too large', 'RequestTooLarge', false],
  [INVALID_ARGUMENT, 'etcdserver: too many operations in txn request', 'TooManyOperations', false],
  [status.NOT_FOUND, 'etcdserver: requested lease not found', 'InvalidRequest', false],
  [FAILED_PRECONDITION, 'etcdserver: lease already exists', 'InvalidRequest', false],
  [OUT_OF_RANGE, 'etcdserver: too large lease TTL', 'InvalidRequest', false],
  [status.DEADLINE_EXCEEDED, 'Deadline exceeded after 3.0s', 'DeadlineExceeded', true],
  [status.CANCELLED, 'Cancelled on client', 'Unavailable', true],
  [status.UNKNOWN, 'raft: stopped', 'Unavailable', true],
  [status.UNIMPLEMENTED, 'unknown service etcdserverpb.KV', 'Unavailable', true],
  [INTERNAL, 'Response message parsing error: Cannot decode', 'ProtocolError', true],
  [INTERNAL, 'Received RST_STREAM with code 2', 'Unavailable', true],
  [UNAVAILABLE, lastError('connect ECONNREFUSED 127.0.0.1:1'), 'Unavailable', true],
  [UNAVAILABLE, 'Name resolution failed for target dns:etcd-tls.example:2379', 'Unavailable', true],
  [UNAVAILABLE, 'Name resolution failed for target dns:learner.corrupt.example:2379', 'Unavailable', true],
  [UNAVAILABLE, lastError('self-signed certificate in certificate chain'), 'TlsRefused', true],
  [UNAVAILABLE, lastError('unable to verify the first certificate'), 'TlsRefused', true],
  [UNAVAILABLE, lastError('certificate has expired'), 'TlsRefused', true],
  [UNAVAILABLE, lastError("Hostname/IP does not match certificate's altnames: Host: a."), 'TlsRefused', true],
  [UNAVAILABLE, lastError('write EPROTO 80:error:0A00010B:SSL routines::wrong version number'), 'TlsRefused', true],
]

describe('translateError', () => {
  test.each(TEXTS)('takes code %i "%s" for %s', (code, details, expected, retryable) => {
    const cause = serviceError(code, details)
    const error = translateError(cause, 'read it')
    expect([error.code, error.retryable]).toEqual([expected, retryable])
    expect(error.message).toMatch(/^Cannot read it: \S/)
    expect(error.cause).toBe(cause)
  })

  test('uses the classes that callers branch on', () => {
    const of = (code: status, details: string) => translateError(serviceError(code, details), 'read it')
    expect(of(OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted')).toBeInstanceOf(CompactedError)
    expect(of(status.PERMISSION_DENIED, 'etcdserver: permission denied')).toBeInstanceOf(AuthError)
    expect(of(UNAVAILABLE, lastError('certificate has expired'))).toBeInstanceOf(AuthError)
    expect(of(status.DEADLINE_EXCEEDED, '')).toBeInstanceOf(UnavailableError)
    expect(of(UNAVAILABLE, 'etcdserver: no leader')).toBeInstanceOf(UnavailableError)
  })

  test('leaves our own errors alone and keeps anything else as the cause of an Internal one', () => {
    const own = new CompactedError('read it', 7)
    expect(translateError(own, 'write it')).toBe(own)
    const other = new TypeError('oops')
    expect(translateError(other, 'write it')).toMatchObject({
      code: 'Internal',
      cause: other,
      message: 'Cannot write it: unexpected failure',
    })
  })

  test('says what refused a connection, and of TLS only the reason', () => {
    const message = (details: string) => translateError(serviceError(UNAVAILABLE, details), 'read it').message
    expect(message(lastError('connect ECONNREFUSED 127.0.0.1:1'))).toBe(
      'Cannot read it: connection failed (ECONNREFUSED)',
    )
    expect(message('No connection established. Last error: Protocol error (t). Resolution note: ')).toBe(
      'Cannot read it: the endpoint does not speak gRPC, it may be another port than that for etcd clients',
    )
    expect(message('Name resolution failed for target dns:nowhere.example:2379')).toBe(
      'Cannot read it: the name of the endpoint cannot be resolved',
    )
    expect(message('Channel closed before call started')).toBe('Cannot read it: the connection was closed')
    expect(message(lastError('certificate has expired'))).toContain('(certificate has expired')
    expect(message(lastError('certificate has expired'))).not.toContain('Resolution note')
  })
})

test('isTokenError is true for what a new token cures, and for nothing else', () => {
  const cured = TEXTS.filter(([code, details]) => isTokenError(serviceError(code, details))).map(
    ([, details]) => details,
  )
  expect(cured).toEqual([
    'etcdserver: invalid auth token',
    'etcdserver: user name is empty',
    'etcdserver: revision of auth store is old',
  ])
})

test('wasNeverSent is true where no connection was made, and for nothing else', () => {
  const unsent = TEXTS.filter(([code, details]) => wasNeverSent(serviceError(code, details))).map(
    ([, details]) => details,
  )
  expect(unsent.every((details) => /^No connection established|^Name resolution failed/.test(details))).toBe(true)
  expect(unsent).toHaveLength(8)
  expect(wasNeverSent(serviceError(INTERNAL, 'No connection established'))).toBe(false)
  expect(wasNeverSent(new Error('No connection established'))).toBe(false)
})

function lastError(error: string): string {
  return `No connection established. Last error: Error: ${error} (2026-01-01T00:00:00.000Z). Resolution note: `
}

function serviceError(code: status, details: string): ServiceError {
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata: new Metadata() })
}
