import type { ConnectionFault, ConnectionSpec, SecretData } from './connection-options.ts'
import type { NamedObjects, NamedRef } from './named-objects.ts'

/** The Secrets of one connection; undefined = it names none of the kind. */
export interface Secrets {
  readonly tls: SecretData | undefined
  readonly auth: SecretData | undefined
}

interface Faulty {
  readonly fault: ConnectionFault
}

/** The Secrets that connections name. */
export class ConnectionSecrets {
  readonly #secrets: NamedObjects
  readonly #operatorNamespace: string

  /** `secrets` calls again for the key of a connection whose Secrets change; `operatorNamespace`: where those of cluster connections are. */
  constructor(secrets: NamedObjects, operatorNamespace: string) {
    this.#secrets = secrets
    this.#operatorNamespace = operatorNamespace
  }

  /** What a connection names, which is followed from now on. undefined = not read yet: that will call again. */
  of(
    connection: string,
    { tls, auth }: ConnectionSpec,
    namespace = this.#operatorNamespace,
  ): Secrets | Faulty | undefined {
    const refOf = (name: string | undefined) => (name === undefined ? undefined : { namespace, name })
    const refs = { tls: refOf(tls?.secretRef?.name), auth: refOf(auth?.secretRef.name) }
    const named = Object.values(refs).filter((ref) => ref !== undefined)
    this.#secrets.use(connection, named)
    if (named.some((ref) => this.#secrets.get(ref) === undefined)) return undefined
    const fault = named.map((ref) => this.#faultOf(ref)).find((each) => each !== undefined)
    return fault === undefined ? { tls: this.#dataOf(refs.tls), auth: this.#dataOf(refs.auth) } : { fault }
  }

  /** The connection names none any more. */
  forget(connection: string): void {
    this.#secrets.use(connection, [])
  }

  #dataOf(ref: NamedRef | undefined): SecretData | undefined {
    const found = ref && this.#secrets.get(ref)
    if (found?.kind !== 'present') return undefined
    return new Map([...found.data].map(([field, text]) => [field, Buffer.from(text, 'base64')]))
  }

  #faultOf(ref: NamedRef): ConnectionFault | undefined {
    const { namespace, name } = ref
    const found = this.#secrets.get(ref)
    switch (found?.kind) {
      case 'absent':
        return { reason: 'SecretNotFound', message: `Secret "${name}" does not exist in the namespace ${namespace}` }
      case 'forbidden': {
        const message = `The operator may not read Secret "${name}" of the namespace ${namespace}: ${found.message}`
        return { reason: 'SecretForbidden', message }
      }
      case 'unreadable': {
        const message = `Secret "${name}" of the namespace ${namespace} cannot be read: ${found.message}`
        return { reason: 'SecretUnreadable', message }
      }
      default:
        return undefined
    }
  }
}
