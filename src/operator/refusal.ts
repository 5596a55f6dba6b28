/** Why an EtcdMirror cannot run until somebody changes something; docs/operator.md says what. */
export type RefusalReason =
  | 'InvalidSpec'
  | 'TemplateNotFound'
  | 'TemplateForbidden'
  | 'TemplateUnreadable'
  | 'TemplateInvalid'
  | 'ConnectionNotFound'
  | 'ConnectionNotReady'
  | 'ConnectionForbidden'
  | 'NotAllowed'
  | 'KindNotAllowed'
  | 'NotSupported'
  | 'Foreign'

/** What cannot be made of an EtcdMirror as things are. */
export interface Refusal {
  readonly kind: 'refused'
  readonly reason: RefusalReason
  /** For people; no values. */
  readonly message: string
}

export function refused(reason: RefusalReason, message: string): Refusal {
  return { kind: 'refused', reason, message }
}
