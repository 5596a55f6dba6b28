import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { EtcdConf } from '../etcd/options.ts'
import type { ConfigSources } from './config-sources.ts'

export type CredentialKey = 'cert-file' | 'key-file' | 'ca-file' | 'password-file'

export interface CredentialFault {
  readonly key: CredentialKey
  /** Names the file, never what is in it. */
  readonly message: string
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END (?:TRUSTED )?CERTIFICATE-----/gs
const KEYS = ['cert-file', 'key-file', 'ca-file', 'password-file'] as const

/** What is wrong with the files that etcd.conf names: missing, empty, not what they should be, not fitting together. */
export async function credentialFaults(
  conf: EtcdConf,
  sources: ConfigSources,
  signal?: AbortSignal,
): Promise<CredentialFault[]> {
  const read = await Promise.all(
    KEYS.map(async (key) => ({ key, ...(await readCredential(conf[key], sources, signal)) })),
  )
  const faults = read.flatMap(({ key, path, bytes, fault }) => {
    const found = fault ?? (bytes === undefined ? undefined : contentFault(key, bytes))
    return found === undefined ? [] : [{ key, message: `${path} ${found}` }]
  })
  const [cert, key] = read
  if (faults.length === 0 && cert?.bytes && key?.bytes && !isPair(cert.bytes, key.bytes)) {
    faults.push({ key: 'key-file', message: `${key.path} is not the key of the certificate in ${cert.path}` })
  }
  return faults
}

interface Credential {
  readonly path?: string
  readonly bytes?: Buffer
  readonly fault?: string
}

async function readCredential(
  path: string | undefined,
  sources: ConfigSources,
  signal: AbortSignal | undefined,
): Promise<Credential> {
  return path === undefined ? {} : { path, ...(await sources.readCredential(path, signal)) }
}

function contentFault(key: CredentialKey, bytes: Buffer): string | undefined {
  switch (key) {
    case 'cert-file':
    case 'ca-file':
      return certificateFault(bytes)
    case 'key-file':
      return succeeds(() => createPrivateKey(bytes))
        ? undefined
        : 'holds no PEM private key that can be read (without a passphrase)'
    case 'password-file':
      return bytes.toString('latin1').trim() === '' ? 'is empty' : undefined
  }
}

function certificateFault(bytes: Buffer): string | undefined {
  const blocks = bytes.toString('latin1').match(CERTIFICATE) ?? []
  if (blocks.length === 0) return 'holds no PEM certificate'
  return blocks.every((block) => succeeds(() => new X509Certificate(block)))
    ? undefined
    : 'holds a PEM certificate that cannot be read'
}

function isPair(cert: Buffer, key: Buffer): boolean {
  return succeeds(() => createSecureContext({ cert, key }))
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}
