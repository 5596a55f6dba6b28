import type { TemplateFrom } from '../config/mirror-resource.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { MAX_TEMPLATE_LENGTH } from '../targets/objects/options.ts'
import { templateTextFault } from '../targets/render/template-text.ts'
import { type MirrorRequest, mirrorRequest } from './mirror-spec.ts'
import type { NamedObject, NamedObjects } from './named-objects.ts'
import { keyOf } from './operator-resources.ts'

/** What cannot be made of an EtcdMirror until somebody changes something. */
export interface SpecRefusal {
  readonly kind: 'refused'
  readonly reason: 'InvalidSpec' | 'TemplateNotFound' | 'TemplateForbidden' | 'TemplateInvalid'
  readonly message: string
}

type Complete = Extract<MirrorRequest, { kind: 'mirror' | 'files' }>

/** What EtcdMirrors ask for, with the templates that they name in ConfigMaps of their own namespaces. */
export class MirrorTemplates {
  readonly #configMaps: NamedObjects

  /** `configMaps` calls again for the key of a mirror whose ConfigMap changes. */
  constructor(configMaps: NamedObjects) {
    this.#configMaps = configMaps
  }

  /** undefined = its ConfigMap was not read yet: that will call again. */
  requestOf(mirror: KubeObject): Complete | SpecRefusal | undefined {
    const key = keyOf(mirror)
    const request = mirrorRequest(mirror)
    if (request.kind !== 'template') this.#configMaps.use(key, [])
    if (request.kind === 'invalid') return refused('InvalidSpec', request.message)
    if (request.kind !== 'template') return request
    const { name, key: field } = request.from.configMapKeyRef
    const ref = { namespace: mirror.metadata.namespace ?? '', name }
    this.#configMaps.use(key, [ref])
    const found = this.#configMaps.get(ref)
    if (found === undefined) return undefined
    const text = templateIn(found, request.from)
    if (typeof text !== 'string') return text
    const fault = faultIn(text)
    if (fault === undefined) return request.withText(text)
    return refused('TemplateInvalid', `ConfigMap "${name}", key "${field}": ${fault}`)
  }

  forget(key: string): void {
    this.#configMaps.use(key, [])
  }
}

function templateIn(found: NamedObject, { configMapKeyRef: { name, key } }: TemplateFrom): string | SpecRefusal {
  switch (found.kind) {
    case 'absent':
      return refused('TemplateNotFound', `ConfigMap "${name}" does not exist in the namespace of the EtcdMirror`)
    case 'forbidden':
      return refused('TemplateForbidden', `The operator may not read ConfigMap "${name}": ${found.message}`)
    case 'present':
      return found.data[key] ?? refused('TemplateNotFound', `ConfigMap "${name}" has no data key "${key}"`)
  }
}

function faultIn(text: string): string | undefined {
  if (text === '') return 'must not be empty'
  if (text.length > MAX_TEMPLATE_LENGTH) return `must not be longer than ${MAX_TEMPLATE_LENGTH} characters`
  const { line, message } = templateTextFault(text) ?? {}
  return line === undefined ? message : `line ${line}: ${message}`
}

function refused(reason: SpecRefusal['reason'], message: string): SpecRefusal {
  return { kind: 'refused', reason, message }
}
