import type { TemplateFrom } from '../config/mirror-resource.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import type { MirrorRequest } from './mirror-spec.ts'
import type { NamedObject, NamedObjects } from './named-objects.ts'
import { type Refusal, refused } from './refusal.ts'
import { templateFault } from './template-fault.ts'

type Templated = Extract<MirrorRequest, { kind: 'template' }>

/** The templates that EtcdMirrors name in ConfigMaps of their own namespaces. */
export class MirrorTemplates {
  readonly #configMaps: NamedObjects

  /** `configMaps` calls again for the key of a mirror whose ConfigMap changes. */
  constructor(configMaps: NamedObjects) {
    this.#configMaps = configMaps
  }

  /** What a mirror is with its template, which is followed from now on. undefined = not read yet: that will call again. */
  configOf(mirror: string, namespace: string, { from, configWith }: Templated): MirrorConfig | Refusal | undefined {
    const { name, key } = from.configMapKeyRef
    const ref = { namespace, name }
    this.#configMaps.use(mirror, [ref])
    const found = this.#configMaps.get(ref)
    const text = found && textIn(found, from)
    if (typeof text !== 'string') return text
    const fault = templateFault(text)
    return fault === undefined
      ? configWith(text)
      : refused('TemplateInvalid', `ConfigMap "${name}", key "${key}": ${fault}`)
  }

  /** The mirror names none any more. */
  forget(mirror: string): void {
    this.#configMaps.use(mirror, [])
  }
}

function textIn(found: NamedObject, { configMapKeyRef: { name, key } }: TemplateFrom): string | Refusal {
  switch (found.kind) {
    case 'absent':
      return refused('TemplateNotFound', `ConfigMap "${name}" does not exist in the namespace of the EtcdMirror`)
    case 'forbidden':
      return refused('TemplateForbidden', `The operator may not read ConfigMap "${name}": ${found.message}`)
    case 'unreadable':
      return refused('TemplateUnreadable', `ConfigMap "${name}" cannot be read: ${found.message}`)
    case 'present':
      return found.data.get(key) ?? refused('TemplateNotFound', `ConfigMap "${name}" has no data key "${key}"`)
  }
}
