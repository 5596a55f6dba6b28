import { status as Code, type ServiceError } from '@grpc/grpc-js'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { AuthError } from './auth-error.ts'
import { CompactedError } from './compacted-error.ts'
import { UnavailableError } from './unavailable-error.ts'

type Make = (action: string, cause: ServiceError) => EtcdMirrorError

const unavailable =
  (code: UnavailableError['code'] & ConstructorParameters<typeof UnavailableError>[0], state: string): Make =>
  (action, cause) =>
    new UnavailableError(code, `Cannot ${action}: ${state}`, { cause })

// The server's texts: https://github.com/etcd-io/etcd/blob/main/api/v3rpc/rpctypes/error.go. Its codes alone do not tell:
// 8 means "message too large", "too many pings", "too many requests" and "no space"; 3 means bad password and bad request.
const BY_TEXT: readonly (readonly [RegExp, Make])[] = [
  [
    // First: these texts repeat the endpoint, and a host may be called "etcd-tls" or "learner".
    /^Name resolution failed|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE/,
    (action, cause) =>
      new UnavailableError('Unavailable', `Cannot ${action}: ${connectionState(cause.details)}`, { cause }),
  ],
  [
    /^Response message parsing error/,
    (action, cause) =>
      new EtcdMirrorError('ProtocolError', `Cannot ${action}: the answer is malformed`, true, { cause }),
  ],
  [/required revision has been compacted/, (action, cause) => new CompactedError(action, undefined, { cause })],
  [
    /required revision is a future revision/,
    (action, cause) =>
      new EtcdMirrorError('FutureRevision', `Cannot ${action}: the revision lies in the future`, false, { cause }),
  ],
  [
    /larger than max/,
    (action, cause) =>
      new EtcdMirrorError('MessageTooLarge', `Cannot ${action}: the answer is too large`, true, { cause }),
  ],
  [
    /request is too large/,
    (action, cause) =>
      new EtcdMirrorError('RequestTooLarge', `Cannot ${action}: the request is larger than the server takes`, false, {
        cause,
        hint: 'Store less at once, or raise --max-request-bytes of etcd.',
      }),
  ],
  [
    /too many operations in txn/,
    (action, cause) =>
      new EtcdMirrorError(
        'TooManyOperations',
        `Cannot ${action}: more operations than the server takes at once`,
        false,
        {
          cause,
          hint: 'Split the transaction, or raise --max-txn-ops of etcd.',
        },
      ),
  ],
  [
    /duplicate key given in txn/,
    (action, cause) =>
      new EtcdMirrorError('DuplicateKey', `Cannot ${action}: a key is written twice`, false, { cause }),
  ],
  [
    /database space exceeded/,
    (action, cause) =>
      new EtcdMirrorError('NoSpace', `Cannot ${action}: etcd's database is full`, false, {
        cause,
        hint: 'Compact and defragment etcd, then disarm its NOSPACE alarm.',
      }),
  ],
  [/no leader|not leader/, unavailable('NoLeader', 'etcd has no leader')],
  [/learner/, unavailable('Learner', 'the member is a learner')],
  [/too many requests/, unavailable('ServerBusy', 'etcd is overloaded')],
  [/corrupt/, unavailable('Corrupt', 'the member reports a corrupt store')],
  [
    /request timed out|waiting for new leader|leader changed|server stopped|not capable/,
    unavailable('Unavailable', 'the member cannot serve'),
  ],
  [
    /permission denied/,
    (action, cause) =>
      new AuthError('PermissionDenied', `Cannot ${action}: permission denied`, {
        cause,
        hint: 'Grant READ on the whole prefix: etcdctl role grant-permission <role> read <prefix> --prefix',
      }),
  ],
  [
    /authentication failed|invalid auth token|auth token is not provided|user name is empty|user name not found|revision of auth store is old|invalid auth management/,
    (action, cause) =>
      new AuthError('AuthenticationFailed', `Cannot ${action}: ${authState(cause.details)}`, {
        cause,
        hint: 'Check username and password-file in etcd.conf, or the Secret of spec.auth of the connection.',
      }),
  ],
  [
    /certificate|SSL|TLS|tls|EPROTO|altname|Hostname\/IP|handshake|WRONG_VERSION|ERR_OSSL/,
    (action, cause) =>
      new AuthError('TlsRefused', `Cannot ${action}: ${tlsState(cause.details)}`, {
        cause,
        hint: 'Check ca-file, cert-file, key-file and server-name in etcd.conf, or spec.tls of the connection, and that the endpoint speaks TLS.',
      }),
  ],
  [
    /Bandwidth exhausted|ENHANCE_YOUR_CALM|too_many_pings/,
    unavailable('Unavailable', 'the server cut the connection (too many pings)'),
  ],
]

const BY_CODE: Partial<Record<Code, Make>> = {
  [Code.DEADLINE_EXCEEDED]: unavailable('DeadlineExceeded', 'no answer in time'),
  [Code.RESOURCE_EXHAUSTED]: unavailable('ServerBusy', 'etcd refuses for lack of resources'),
  [Code.DATA_LOSS]: unavailable('Corrupt', 'the member reports data loss'),
}

/** The server has looked at the request: another endpoint would answer the same. */
const REFUSALS: ReadonlySet<Code> = new Set([
  Code.INVALID_ARGUMENT,
  Code.FAILED_PRECONDITION,
  Code.NOT_FOUND,
  Code.ALREADY_EXISTS,
  Code.OUT_OF_RANGE,
])

/** A gRPC error as one of ours. `action` completes "Cannot …". Server texts never hold values; ours leave them out. */
export function translateError(error: unknown, action: string): EtcdMirrorError {
  if (error instanceof EtcdMirrorError) return error
  if (!isServiceError(error)) {
    return new EtcdMirrorError('Internal', `Cannot ${action}: unexpected failure`, true, { cause: error })
  }
  const make = BY_TEXT.find(([text]) => text.test(error.details))?.[1] ?? BY_CODE[error.code]
  if (make) return make(action, error)
  return REFUSALS.has(error.code)
    ? new EtcdMirrorError('InvalidRequest', `Cannot ${action}: ${error.details}`, false, { cause: error })
    : new UnavailableError('Unavailable', `Cannot ${action}: ${connectionState(error.details)}`, { cause: error })
}

/** A new token cures these; a wrong password is not among them. */
export function isTokenError(error: unknown): boolean {
  return (
    isServiceError(error) && /invalid auth token|revision of auth store is old|user name is empty/.test(error.details)
  )
}

const NEVER_SENT = /^(No connection established|Name resolution failed|Channel closed before call started)/

/** The request certainly never reached a server. */
export function wasNeverSent(error: unknown): boolean {
  return isServiceError(error) && error.code === Code.UNAVAILABLE && NEVER_SENT.test(error.details)
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error
}

function authState(details: string): string {
  return details.replace(/^etcdserver: /, '')
}

/** What OpenSSL and Node say, in words; the first that fits. The names of hosts come first: they may be called anything. */
const TLS_WORDS: readonly (readonly [RegExp, string])[] = [
  [/altname|Hostname\/IP/, 'the certificate is for another host'],
  [/alert certificate expired/, 'the endpoint says that the client certificate has expired'],
  [/certificate has expired/, 'the certificate has expired'],
  [/certificate is not yet valid/, 'the certificate is not valid yet'],
  [/alert unknown ca/, "the endpoint does not trust the client certificate's authority"],
  [/alert (certificate required|bad certificate)/, 'the endpoint wants another client certificate'],
  [/unable to (verify|get)|self.signed/, "the certificate's authority is not trusted"],
  [/wrong version number/, 'the endpoint does not speak TLS'],
  [/alert protocol version|unsupported protocol/, "the server's TLS is too old, 1.2 is needed"],
  [/alert no application protocol/, 'the endpoint does not speak gRPC'],
  [/disconnected before secure/, 'the endpoint closed the connection'],
]

function tlsState(details: string): string {
  const last = /Last error: (?:Error(?: \[\w+\])?: )?(.*?)(?:\. Resolution note.*)?$/s.exec(details)?.[1] ?? details
  const raw = last.split('\n')[0]?.slice(0, 200) ?? ''
  const words = TLS_WORDS.find(([text]) => text.test(raw))?.[1]
  return words === undefined ? `TLS failed (${raw})` : `TLS failed: ${words} (${raw})`
}

/** What the gRPC client says of connections, in words; the first that fits. */
const CONNECTION_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^Name resolution failed/, 'the name of the endpoint cannot be resolved'],
  [/^Channel closed before call started/, 'the connection was closed'],
  [
    /Last error: .*Protocol error/,
    'the endpoint does not speak gRPC, it may be another port than that for etcd clients',
  ],
  [/^No connection established/, 'no connection'],
]

function connectionState(details: string): string {
  const code = /ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE/.exec(details)?.[0]
  if (code) return `connection failed (${code})`
  const words = CONNECTION_WORDS.find(([text]) => text.test(details))?.[1]
  return words ?? (details.split('\n')[0]?.slice(0, 200) || 'connection lost')
}
