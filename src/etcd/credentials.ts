import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { type ChannelCredentials, credentials } from '@grpc/grpc-js'
import { AuthError } from './auth-error.ts'
import type { GivenCredentials } from './given-credentials.ts'
import type { TlsOptions } from './options.ts'

const HAS_CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/

/**
 * Channel credentials from what is given, else from the configured files; TLS 1.2 or newer; plaintext when `tls` is
 * undefined.
 * Throws `AuthError` (`TlsRefused`) that names the file that cannot be used.
 */
export async function channelCredentials(
  tls: TlsOptions | undefined,
  given?: GivenCredentials,
): Promise<ChannelCredentials> {
  if (!tls) return credentials.createInsecure()
  const [ca, cert, key] = given ? [given.ca, given.cert, given.key] : await readPems(tls)
  // OpenSSL takes any text for authorities and then trusts nobody.
  if (ca && !HAS_CERTIFICATE.test(ca.toString('latin1'))) {
    throw new AuthError('TlsRefused', 'Cannot load the TLS certificates: the authorities hold no certificate', {
      hint: 'Put PEM into ca-file of etcd.conf, or ca.crt of the Secret of spec.tls.',
    })
  }
  try {
    const context = createSecureContext({
      minVersion: 'TLSv1.2',
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    })
    return credentials.createFromSecureContext(context, { rejectUnauthorized: !tls.insecureSkipVerify })
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : 'unusable'
    throw new AuthError('TlsRefused', `Cannot load the TLS certificates: ${state}`, {
      cause,
      hint: 'Check that the certificate and the key belong together and that all are PEM.',
    })
  }
}

function readPems(tls: TlsOptions): Promise<(Buffer | undefined)[]> {
  return Promise.all([
    readPem('ca-file', tls.caFile),
    readPem('cert-file', tls.certFile),
    readPem('key-file', tls.keyFile),
  ])
}

async function readPem(name: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (cause) {
    const state = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new AuthError('TlsRefused', `Cannot read ${name} ${path}: ${state}`, { cause })
  }
}
