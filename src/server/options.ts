import * as z from 'zod'
import { parseHostPort } from '../util/host-port.ts'

/** Where the HTTP server listens. */
export interface HttpBind {
  /** '' = every address of the machine. */
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
}

const DEFAULT_BIND = ':9379'
export const BIND_FORMS = 'must be [host]:port, such as ":9379", "127.0.0.1:9379" or "[::1]:9379"'

/** `":9379"`, `"127.0.0.1:9379"`, `"[::1]:9379"`; undefined = not an address to listen on. */
export function parseHttpBind(text: string): HttpBind | undefined {
  const parsed = parseHostPort(text)
  return parsed?.port === undefined ? undefined : { host: parsed.host, port: parsed.port }
}

/** `http` of mirror.yaml. */
export const httpSchema = z
  .strictObject({
    bind: z
      .string()
      .transform((text, context) => {
        const bind = parseHttpBind(text)
        if (bind !== undefined) return bind
        context.issues.push({ code: 'custom', message: BIND_FORMS, input: text })
        return z.NEVER
      })
      .prefault(DEFAULT_BIND)
      .describe('Address of probes, metrics and status: [host]:port. Without a host: every address of the pod.'),
  })
  .describe('The HTTP server of the process.')
