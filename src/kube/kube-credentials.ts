/** What a connection to the API server is made with. Another object than before = make it anew. */
export interface KubeTls {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/** Where the API server is and who we are. */
export interface KubeCredentials {
  /** URL without a trailing "/". */
  readonly server: string
  /** Of what is written when nobody names another. */
  readonly namespace: string
  /** As of now: files and tokens are read again, at most every few seconds. Rejects with `KubeError`. */
  current(): Promise<{ readonly authorization: string | undefined; readonly tls: KubeTls }>
}
