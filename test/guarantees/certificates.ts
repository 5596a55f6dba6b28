import { readFile, rename, writeFile } from 'node:fs/promises'
import type { EtcdTls } from '../support/etcd-server.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { type KeyPair, makeTls, type TlsMaterial } from '../support/tls.ts'

type Conf = Readonly<Record<string, unknown>>

/**
 * Certificates of two authorities that take turns: in the server, and in the files of the mirror. Everybody else trusts
 * both and stays as it is.
 */
export class Certificates implements AsyncDisposable {
  readonly #directory: string
  readonly #stack: AsyncDisposableStack
  readonly #materials: readonly [TlsMaterial, TlsMaterial]
  #turn = 0

  static async make(): Promise<Certificates> {
    await using stack = new AsyncDisposableStack()
    const directory = stack.use(await makeTempDir('certificates'))
    const materials = [stack.use(await makeTls()), stack.use(await makeTls())] as const
    const certificates = new Certificates(directory.path, materials, stack.move())
    await certificates.#write(
      'both.crt',
      materials.map(({ ca }) => ca),
    )
    await certificates.#write('mirror-ca.crt', [materials[0].ca])
    await certificates.#writePair('server', materials[0].server)
    await certificates.#writePair('mirror', materials[0].client)
    return certificates
  }

  private constructor(directory: string, materials: readonly [TlsMaterial, TlsMaterial], stack: AsyncDisposableStack) {
    this.#directory = directory
    this.#materials = materials
    this.#stack = stack
  }

  get server(): EtcdTls {
    const ca = this.#at('both.crt')
    return { ...this.#pair('server'), clientCa: ca, ca, client: this.#materials[0].client }
  }

  /** Keys of the mirror's etcd.conf. */
  get mirrorConf(): Conf {
    return confOf(this.#at('mirror-ca.crt'), this.#pair('mirror'))
  }

  /** Keys of etcd.conf of everybody else. */
  get steadyConf(): Conf {
    return confOf(this.#at('both.crt'), this.#materials[0].client)
  }

  /** As an operator does it: trust first, then what is shown, then the old trust goes. `pause` comes between the steps. */
  async rotate(pause: () => Promise<void>): Promise<void> {
    this.#turn += 1
    const next = this.#materials[this.#turn % 2 === 0 ? 0 : 1]
    await this.#write(
      'mirror-ca.crt',
      this.#materials.map(({ ca }) => ca),
    )
    await this.#writePair('mirror', next.client)
    await pause()
    await this.#writePair('server', next.server)
    await pause()
    await this.#write('mirror-ca.crt', [next.ca])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  #at(name: string): string {
    return `${this.#directory}/${name}`
  }

  #pair(name: string): KeyPair {
    return { cert: this.#at(`${name}.crt`), key: this.#at(`${name}.key`) }
  }

  async #writePair(name: string, pair: KeyPair): Promise<void> {
    await this.#write(`${name}.crt`, [pair.cert])
    await this.#write(`${name}.key`, [pair.key])
  }

  async #write(name: string, sources: readonly string[]): Promise<void> {
    const contents = await Promise.all(sources.map((source) => readFile(source, 'utf8')))
    await writeFile(this.#at(`${name}.new`), contents.join(''), { mode: 0o600 })
    await rename(this.#at(`${name}.new`), this.#at(name))
  }
}

function confOf(ca: string, { cert, key }: KeyPair): Conf {
  return { 'ca-file': ca, 'cert-file': cert, 'key-file': key }
}
