import { abortable } from '../util/abortable.ts'
import type { Clock } from '../util/clock.ts'

/** A fleet that lost its tokens at once (an etcd restart) must not have all its passwords hashed at once. */
const REAUTHENTICATE_SPREAD_MS = 1000

export interface TokenSourceOptions {
  /** One Authenticate call; undefined = etcd has authentication switched off. */
  readonly authenticate: () => Promise<string | undefined>
  readonly clock: Clock
  /** Aborts when the connection is closed. */
  readonly closed: AbortSignal
  /** 0 ≤ x < 1. Default Math.random. */
  readonly random?: () => number
}

/** What `get` hands out, and what `invalidate` takes back. */
export interface Token {
  readonly value: string | undefined
}

/**
 * The auth token of one connection: asked for once, shared by all calls, and asked for again (once, after a random wait
 * of up to a second) when a call found it invalid.
 */
export class TokenSource {
  readonly #options: TokenSourceOptions
  #current: Promise<Token> | undefined
  #issued: Token | undefined
  #everHadOne = false

  constructor(options: TokenSourceOptions) {
    this.#options = options
  }

  /** Rejects with the failure of the Authenticate call, which every waiter shares and the next call repeats. */
  async get(signal: AbortSignal): Promise<Token> {
    this.#current ??= this.#start()
    return await abortable(this.#current, signal)
  }

  /** The token was refused: the next `get` asks for another, unless somebody already did. */
  invalidate(token: Token): void {
    if (this.#issued !== token) return
    this.#issued = undefined
    this.#current = undefined
  }

  #start(): Promise<Token> {
    const current = this.#authenticate()
    // Even when every waiter has gone: what failed then is no answer to who comes later.
    current.catch(() => {
      this.#current = undefined
    })
    return current
  }

  async #authenticate(): Promise<Token> {
    const { authenticate, clock, closed, random = Math.random } = this.#options
    if (this.#everHadOne) await clock.sleep(random() * REAUTHENTICATE_SPREAD_MS, closed)
    const value = await authenticate()
    this.#everHadOne = true
    this.#issued = { value }
    return this.#issued
  }
}
