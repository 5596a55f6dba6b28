import { KubeError, type KubeErrorCause, type KubeErrorCode } from './kube-error.ts'

/** Texts of the API of these kinds repeat what was sent: only the fields are passed on. */
const QUOTES_VALUES: ReadonlySet<KubeErrorCode> = new Set(['KubeInvalid'])
/** Somebody's rule about what an object may hold; what stands behind it repeats it, perhaps. */
const ADMISSION =
  /admission webhook "[^"]*" denied the request|ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request/
/** Of RBAC; a namespace that is going away and a quota are forbidden as well, and no role helps there. */
const MISSING_RIGHT = /cannot \w+ resource/
const MAX_TEXT = 500
const MAX_CAUSES = 5

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  /** Of the body, JSON or not. */
  readonly body: string
}

/** The error that an answer stands for. `action` reads like `write configmaps/app`. */
export function errorOfAnswer(action: string, { status, retryAfter, body }: Answer): KubeError {
  const { reason, message, causes, retryAfterSeconds } = statusOf(body)
  const code = codeOf(status, reason, message)
  const seconds = Number(retryAfter ?? retryAfterSeconds)
  return new KubeError(code, `Cannot ${action}: ${stateOf(code, status, reason, message, causes)}`, {
    status,
    reason,
    causes,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
    ...hintOf(code, status, reason, message),
  })
}

interface StatusBody {
  readonly reason: string
  readonly message: string
  readonly causes: readonly KubeErrorCause[]
  readonly retryAfterSeconds: number | undefined
}

function statusOf(body: string): StatusBody {
  const json = asRecord(parse(body))
  const details = asRecord(json.details)
  const causes = Array.isArray(details.causes) ? details.causes : []
  return {
    reason: textOf(json.reason),
    message: textOf(json.message),
    causes: causes.map(asRecord).map((cause) => ({
      reason: textOf(cause.reason),
      field: textOf(cause.field),
      manager: /^conflict with "((?:[^"\\]|\\.)*)"/.exec(textOf(cause.message))?.[1],
    })),
    retryAfterSeconds: typeof details.retryAfterSeconds === 'number' ? details.retryAfterSeconds : undefined,
  }
}

function codeOf(status: number, reason: string, message: string): KubeErrorCode {
  if (status === 403 && ADMISSION.test(message)) return 'KubeInvalid'
  if (status === 401 || status === 403) return 'KubeDenied'
  if (status === 404) return 'KubeNotFound'
  if (status === 409) return 'KubeConflict'
  if (status === 410 || reason === 'Expired') return 'KubeGone'
  if (status === 413 || /request is too large|too long: may not be more than|larger than max/i.test(message))
    return 'KubeTooLarge'
  if (status === 429) return 'KubeThrottled'
  return status >= 500 || status === 408 ? 'KubeUnavailable' : 'KubeInvalid'
}

/** Of a path that the API does not serve at all it says nothing more. */
function isUnserved(code: KubeErrorCode, reason: string): boolean {
  return code === 'KubeNotFound' && reason === ''
}

function stateOf(
  code: KubeErrorCode,
  status: number,
  reason: string,
  message: string,
  causes: readonly KubeErrorCause[],
): string {
  const known = `the Kubernetes API answered ${status}${reason === '' ? '' : ` ${reason}`}`
  if (isUnserved(code, reason)) return `${known}: it serves no such kind`
  if (QUOTES_VALUES.has(code)) {
    const rule = ADMISSION.exec(message)?.[0]
    const fields = causes.map(({ field, reason: why }) => `${field} (${why})`).slice(0, MAX_CAUSES)
    return [known, rule, fields.join(', ')].filter((part) => part !== undefined && part !== '').join(': ')
  }
  return message === '' ? known : `${known}: ${message.slice(0, MAX_TEXT)}`
}

function hintOf(code: KubeErrorCode, status: number, reason: string, message: string): { readonly hint?: string } {
  if (isUnserved(code, reason)) return { hint: 'Apply its CRD; that of EtcdKey is in crds/.' }
  if (code !== 'KubeDenied') return {}
  if (status === 403 && !MISSING_RIGHT.test(message)) return {}
  if (status === 401) return { hint: 'Check the token or the client certificate of the kubeconfig.' }
  const pages = 'docs/kubernetes-targets.md has the least role, docs/operator.md those of the operator'
  return { hint: `Grant the service account what the message names; ${pages}.` }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function asRecord(json: unknown): Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null ? (json as Readonly<Record<string, unknown>>) : {}
}

function textOf(json: unknown): string {
  return typeof json === 'string' ? json : ''
}
