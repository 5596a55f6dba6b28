import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { joinHostPort } from '../util/host-port.ts'
import type { HttpBind } from './options.ts'

const STATES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'no interface of this machine has that address',
  ENOTFOUND: 'unknown host name',
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Stop what listens there, or choose another address with --http-bind.',
  EACCES: 'Choose a port above 1023 with --http-bind.',
}

/** Why the socket could not be opened. Retryable only when another process may let the address go. */
export function bindError(cause: NodeJS.ErrnoException, { host, port }: HttpBind): EtcdMirrorError {
  const code = cause.code ?? ''
  return new EtcdMirrorError(
    'AddressInUse',
    `Cannot bind HTTP to ${joinHostPort(host, port)}: ${STATES[code] ?? (code || 'refused')}`,
    code === 'EADDRINUSE',
    { cause, hint: HINTS[code] ?? 'Choose another address with --http-bind.' },
  )
}
