import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeTempDir } from './temp-dir.ts'

/** Paths of PEM files. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** Certificates of one CA, as PEM files in a directory that is removed on disposal. */
export interface TlsMaterial extends AsyncDisposable {
  readonly ca: string
  /** A CA that signed none of these. */
  readonly otherCa: string
  /** For 127.0.0.1, localhost and etcd.test. */
  readonly server: KeyPair
  /** Of the server, for the same names, expired yesterday. */
  readonly expired: KeyPair
  /** Of a server, for other.test alone. */
  readonly wrongHost: KeyPair
  /** CN=mirror. */
  readonly client: KeyPair
  /** CN=mirror, signed by the other CA. */
  readonly foreignClient: KeyPair
}

const SERVER_NAMES = 'IP:127.0.0.1,DNS:localhost,DNS:etcd.test'
const exec = promisify(execFile)

/** Makes the material with `openssl`. */
export async function makeTls(): Promise<TlsMaterial> {
  const directory = await makeTempDir('tls')
  const at = directory.path
  const [ca, otherCa] = await Promise.all([makeCa(at, 'ca'), makeCa(at, 'other-ca')])
  const [server, expired, wrongHost, client, foreignClient] = await Promise.all([
    sign(at, ca, { name: 'server', subject: 'etcd', names: SERVER_NAMES }),
    sign(at, ca, { name: 'expired', subject: 'etcd', names: SERVER_NAMES, days: -1 }),
    sign(at, ca, { name: 'wrong-host', subject: 'etcd', names: 'DNS:other.test' }),
    sign(at, ca, { name: 'client', subject: 'mirror' }),
    sign(at, otherCa, { name: 'foreign-client', subject: 'mirror' }),
  ])
  const dispose = () => directory[Symbol.asyncDispose]()
  return {
    ca: ca.cert,
    otherCa: otherCa.cert,
    server,
    expired,
    wrongHost,
    client,
    foreignClient,
    [Symbol.asyncDispose]: dispose,
  }
}

async function makeCa(directory: string, name: string): Promise<KeyPair> {
  const pair = pathsOf(directory, name)
  await exec('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-keyout', pair.key, '-out', pair.cert],
  ])
  return pair
}

async function sign(
  directory: string,
  ca: KeyPair,
  { name, subject, names, days = 2 }: { name: string; subject: string; names?: string; days?: number },
): Promise<KeyPair> {
  const pair = pathsOf(directory, name)
  const request = join(directory, `${name}.csr`)
  const extensions = join(directory, `${name}.ext`)
  await writeFile(extensions, `extendedKeyUsage=serverAuth,clientAuth\n${names ? `subjectAltName=${names}\n` : ''}`)
  await exec('openssl', [
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', `/CN=${subject}`, '-keyout', pair.key, '-out', request],
  ])
  const serial = String(Math.floor(Math.random() * 1e9) + 1)
  await exec('openssl', [
    ...['x509', '-req', '-in', request, '-CA', ca.cert, '-CAkey', ca.key, '-set_serial', serial],
    ...['-days', String(days), '-extfile', extensions, '-out', pair.cert],
  ])
  return pair
}

function pathsOf(directory: string, name: string): KeyPair {
  return { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) }
}
