import * as z from 'zod'
import { durationField } from '../../mirror/options.ts'

/** Signals that a program can be asked by; the rest would end or stop it at best by chance. */
export const HOOK_SIGNALS = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGWINCH'] as const

/** A program, without a shell. */
export interface ExecOptions {
  readonly command: readonly string[]
}

/** A request. */
export interface HttpOptions {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  /** Name of a header → path of the file that holds its value. Read at each request. */
  readonly headerFiles: Readonly<Record<string, string>>
  readonly successCodes: readonly number[]
}

/** A signal to every process of a name that no process of that name has started. */
export interface SignalOptions {
  readonly process: string
  readonly signal: (typeof HOOK_SIGNALS)[number]
}

/** What is done at a publish. Exactly one of the three actions is there. */
export interface HookOptions {
  readonly name: string
  readonly phase: 'BeforePublish' | 'AfterPublish'
  readonly exec?: ExecOptions | undefined
  readonly http?: HttpOptions | undefined
  readonly signal?: SignalOptions | undefined
  /** Globs on paths below the tree: publishes that change none of these are none of its business. */
  readonly files: readonly string[]
  readonly timeoutMs: number
  /** AfterPublish: how long to wait for more publishes before each run. */
  readonly debounceMs: number
  /** AfterPublish: how often a failed run is tried again for the same publish. */
  readonly retries: number
}

/** A program and its arguments. */
export const commandSchema = z
  .array(z.string().max(4096, 'must not be longer than 4096 characters').describe('Program or argument.'))
  .min(1, 'must not be empty')
  .max(100, 'must not hold more than 100 arguments')
  .refine(([program]) => program !== '', 'must begin with a program')
  .describe('Program and arguments; no shell reads them.')

const execSchema = z.strictObject({ command: commandSchema }).describe('Runs a program in the tree.')

const httpSchema = z
  .strictObject({
    url: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' }).describe('Address.'),
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']).prefault('POST').describe('Method.'),
    headers: headersField('Headers to send.'),
    headerFiles: headersField('Headers to send, each from a file: for secrets.'),
    successCodes: z
      .array(z.int().min(100).max(599).describe('Status code.'))
      .min(1, 'must not be empty')
      .max(100, 'must not hold more than 100 codes')
      .prefault([200, 201, 202, 204])
      .describe('Status codes that mean success.'),
  })
  .describe('Sends a request.')

const signalSchema = z
  .strictObject({
    process: z
      .string()
      .min(1, 'must not be empty')
      .max(255, 'is too long')
      .describe('Name of the program, such as nginx.'),
    signal: z.enum(HOOK_SIGNALS).prefault('SIGHUP').describe('Signal.'),
  })
  .describe('Sends a signal to a process that is seen from here (shareProcessNamespace).')

const ACTIONS = ['exec', 'http', 'signal'] as const

const hookSchema = z
  .strictObject({
    name: z
      .string()
      .max(63, 'must not be longer than 63 characters')
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits and inner "-"')
      .describe('Name of the hook, unique in the mirror.'),
    phase: z
      .enum(['BeforePublish', 'AfterPublish'])
      .describe('BeforePublish: sees the staged tree and can veto it. AfterPublish: hears of what was published.'),
    exec: execSchema.optional(),
    http: httpSchema.optional(),
    signal: signalSchema.optional(),
    files: z
      .array(z.string().min(1, 'must not be empty').max(1024, 'is too long').describe('A glob on paths.'))
      .min(1, 'must not be empty')
      .max(100, 'must not hold more than 100 globs')
      .prefault(['**'])
      .describe('Globs on paths below the root of the tree: it is run when one of these changes.'),
    timeout: durationField('30s', 100).describe('How long one run may take.'),
    debounce: durationField('0').describe('AfterPublish: how long to wait for more publishes before a run.'),
    retries: z
      .int()
      .min(0, 'must be at least 0')
      .max(1000, 'must be at most 1000')
      .prefault(5)
      .describe('AfterPublish: how often a failed run is tried again, until something else is published.'),
  })
  .superRefine(({ phase, timeout, ...hook }, context) => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message })
    if (ACTIONS.filter((action) => hook[action] !== undefined).length !== 1) {
      refuse(`must hold exactly one of: ${ACTIONS.join(', ')}`)
    }
    if (phase === 'BeforePublish' && hook.signal !== undefined) refuse('a signal cannot veto: use exec or http')
    if (timeout === 0) refuse('timeout must not be 0')
  })
  .transform(({ timeout, debounce, ...rest }): HookOptions => ({ ...rest, timeoutMs: timeout, debounceMs: debounce }))
  .describe('Something to do at each publish.')

/** `hooks` of a files target. */
export const hooksSchema = z
  .array(hookSchema)
  .max(32, 'must not hold more than 32 hooks')
  .superRefine((hooks: readonly HookOptions[], context) => {
    for (const [index, { name }] of hooks.entries()) {
      if (hooks.findIndex((hook) => hook.name === name) === index) continue
      context.addIssue({ code: 'custom', message: `"${name}" is the name of another hook`, path: [index, 'name'] })
    }
  })
  .prefault([])
  .describe('What is done before and after each publish.')

function headersField(description: string) {
  return z
    .record(z.string(), z.string())
    .optional()
    .transform((headers) => headers ?? {})
    .describe(description)
}
