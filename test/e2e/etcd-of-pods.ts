import { cp } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { HOST } from '../support/cluster/kubernetes.ts'
import type { Machine } from '../support/cluster/machine.ts'
import { makeTls } from '../support/tls.ts'
import { eventually } from '../support/wait.ts'

/** What its certificate is for. */
export const SERVER_NAME = 'etcd.test'

/** An etcd that wants certificates, on the machine of a cluster, where its pods reach it. */
export class EtcdOfPods {
  /** What pods write into etcd.conf. */
  readonly endpoint: string
  readonly #machine: Machine
  readonly #port: number
  readonly #directory: string
  /** For the Secret of pods, by file. */
  readonly credentials: Readonly<Record<'ca.crt' | 'tls.crt' | 'tls.key', string>>

  /** `port`: of the machine; the next one is taken as well. */
  static async start(machine: Machine, port: number): Promise<EtcdOfPods> {
    await using tls = await makeTls()
    const name = `etcd-of-pods-${port}`
    const directory = join(machine.data, name, 'tls')
    for (const [file, path] of [
      ['ca.crt', tls.ca],
      ['server.crt', tls.server.cert],
      ['server.key', tls.server.key],
      ['tls.crt', tls.client.cert],
      ['tls.key', tls.client.key],
    ] as const) {
      await cp(path, join(directory, file))
    }
    const read = (file: string) => machine.exec(['cat', `/data/${name}/tls/${file}`])
    const credentials = {
      'ca.crt': await read('ca.crt'),
      'tls.crt': await read('tls.crt'),
      'tls.key': await read('tls.key'),
    }
    const etcd = new EtcdOfPods(machine, port, credentials)
    await etcd.restart()
    return etcd
  }

  private constructor(machine: Machine, port: number, credentials: EtcdOfPods['credentials']) {
    this.#machine = machine
    this.#port = port
    this.#directory = `/data/etcd-of-pods-${port}`
    this.endpoint = `https://${HOST}:${port}`
    this.credentials = credentials
  }

  async put(key: string, value: string): Promise<void> {
    await this.etcdctl(['put', key, '--', value])
  }

  /** `count` keys of 1 MiB below `prefix`. */
  async putMebibytes(prefix: string, count: number): Promise<void> {
    const certificates = join(this.#machine.data, basename(this.#directory), 'tls')
    const script = join(import.meta.dirname, 'put-mebibytes.ts')
    const args = [`https://127.0.0.1:${this.#port}`, certificates, prefix, String(count)]
    await this.#machine.exec([process.execPath, script, ...args], { onlyNetwork: true })
  }

  /** `count` small keys below `prefix`, in few transactions. */
  async putMany(prefix: string, count: number): Promise<void> {
    for (let start = 0; start < count; start += 100) {
      const puts = Array.from({ length: Math.min(100, count - start) }, (_, index) => {
        const name = String(start + index).padStart(6, '0')
        return `put ${prefix}${name.slice(0, 4)}/${name} "${'v'.repeat(100)}${name}"`
      })
      await this.#machine.exec(['etcdctl', ...this.#flags(), 'txn'], { input: `\n${puts.join('\n')}\n\n\n` })
    }
  }

  async etcdctl(args: readonly string[]): Promise<string> {
    return await this.#machine.exec(['etcdctl', ...this.#flags(), ...args])
  }

  async kill(): Promise<void> {
    await this.#machine.exec(['bash', '-c', `kill -9 $(cat ${this.#directory}/pid)`])
  }

  async restart(): Promise<void> {
    const urls = `${this.endpoint},https://127.0.0.1:${this.#port}`
    const peer = `http://127.0.0.1:${this.#port + 1}`
    const tls = `${this.#directory}/tls`
    const command = [
      ...['etcd', '--data-dir', `${this.#directory}/data`, '--unsafe-no-fsync', '--log-level', 'error'],
      ...['--listen-client-urls', urls, '--advertise-client-urls', urls, '--listen-peer-urls', peer],
      ...['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`, '--client-cert-auth'],
      ...['--quota-backend-bytes', String(8 * 2 ** 30)],
      // It keeps the last requests in memory, by default 5,000 or more, of 1 MiB each when they flood it.
      ...['--snapshot-count', '100', '--snapshot-catchup-entries', '10'],
      ...['--cert-file', `${tls}/server.crt`, '--key-file', `${tls}/server.key`, '--trusted-ca-file', `${tls}/ca.crt`],
    ]
    this.#machine.serve(['bash', '-c', `echo $$ > ${this.#directory}/pid; exec ${command.join(' ')}`])
    await eventually(() => this.etcdctl(['endpoint', 'health']), { timeoutMs: 60_000 })
  }

  #flags(): readonly string[] {
    const tls = `${this.#directory}/tls`
    const files = ['--cacert', `${tls}/ca.crt`, '--cert', `${tls}/tls.crt`, '--key', `${tls}/tls.key`]
    return ['--endpoints', `https://127.0.0.1:${this.#port}`, ...files]
  }
}
