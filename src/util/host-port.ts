import { isIP } from 'node:net'

export interface HostPort {
  /** Name or address, IPv6 without brackets; '' when the text names none (":9379"). */
  readonly host: string
  /** 0 to 65535; undefined when the text names none. */
  readonly port: number | undefined
}

/** Splits `host`, `host:port`, `:port`, `[address]` or `[address]:port`, as Go does; undefined = none of them. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]*))(?::(\d{1,5}))?$/.exec(text)
  if (match === null || text === '') return undefined
  const [, bracketed, name, digits] = match
  const port = digits === undefined ? undefined : Number(digits)
  if (port !== undefined && port > 65_535) return undefined
  if (bracketed !== undefined && isIP(bracketed) === 0) return undefined
  return { host: bracketed ?? name ?? '', port }
}

/** `host:port`, IPv6 in brackets. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
