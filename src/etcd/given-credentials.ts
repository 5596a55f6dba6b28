/** Credentials in memory, in place of the files that the options name. Never logged. */
export interface GivenCredentials {
  /** PEM: authorities to trust; undefined = those of the system. */
  readonly ca: Buffer | undefined
  /** PEM: client certificate and its key, both or none. */
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
  /** Of the user that the options name. */
  readonly password: string | undefined
}
