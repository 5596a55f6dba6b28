import { createHash } from 'node:crypto'
import type { KeyValue } from '../../etcd/key-value.ts'
import { resolveKinds } from '../../kube/discovery.ts'
import type { KubeClient } from '../../kube/kube-client.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import { apiVersionOf, type KubeResource } from '../../kube/kube-resource.ts'
import type { AllowedKind } from '../../util/allowed-kind.ts'
import { printableKey } from '../files/key-path.ts'
import { KeyFault } from '../render/key-fault.ts'
import { renderFailure } from '../render/render-failure.ts'
import type { RenderPool } from '../render/render-pool.ts'
import { isDnsSubdomain } from './metadata-faults.ts'
import { ANNOTATIONS } from './object-identity.ts'
import { objectName } from './object-name.ts'
import type { DesiredObject, ObjectProjection, Projected } from './object-projection.ts'
import { type ObjectsTargetOptions, REFUSED_SECRET_TYPES } from './options.ts'

const MAX_OBJECTS = 20

export interface TemplateProjectionOptions {
  readonly options: ObjectsTargetOptions
  readonly mirror: string
  readonly prefixLength: number
  readonly allowKinds: readonly AllowedKind[]
  readonly renderPool: RenderPool
}

/** Objects of any allowed kind, by a template that is rendered for each key. */
export class TemplateProjection implements ObjectProjection {
  readonly #given: TemplateProjectionOptions
  #resources: readonly KubeResource[] = []
  #namespace = ''

  constructor(given: TemplateProjectionOptions) {
    this.#given = given
  }

  get resources(): readonly KubeResource[] {
    return this.#resources
  }

  async prepare(client: KubeClient, namespace: string, signal: AbortSignal): Promise<void> {
    this.#namespace = namespace
    if (this.#resources.length === 0) this.#resources = await resolveKinds(client, this.#given.allowKinds, signal)
  }

  sourceOf(relativeKey: Buffer): string {
    return objectName(this.#given.mirror, relativeKey)
  }

  async project(entry: KeyValue, signal: AbortSignal): Promise<Projected> {
    const { options, renderPool } = this.#given
    const { template, values: form } = options
    const value = new Uint8Array(entry.value)
    const context = this.#contextOf(entry)
    const answer = await renderPool.render(
      this.#namespace,
      { kind: 'manifests', template, context, value, form },
      signal,
    )
    const { fault, bytes } = answer
    if (fault !== undefined) {
      if (!answer.isStopped) return { reason: `its template fails: ${fault.state}` }
      throw renderFailure('objects', `the template ${fault.state}`, { hint: fault.hint, key: context.key })
    }
    try {
      return { objects: this.#objectsOf(JSON.parse(Buffer.from(bytes).toString('utf8'))) }
    } catch (error) {
      if (error instanceof KeyFault) return { reason: error.message }
      throw error
    }
  }

  sourceOfObject({ metadata }: KubeObject): string | undefined {
    return metadata.annotations?.[ANNOTATIONS.source]
  }

  sizeOf({ metadata, status, ...rest }: KubeObject): number {
    return JSON.stringify(rest).length
  }

  isSound(): boolean {
    return true
  }

  #contextOf({ key, modRevision, createRevision, version }: KeyValue) {
    const { mirror, prefixLength } = this.#given
    const relative = key.subarray(prefixLength)
    const text = printableKey(relative)
    return {
      mirror,
      namespace: this.#namespace,
      key: text,
      segments: text.split('/'),
      // A name that is valid for every kind, and another one for every other key.
      name: objectName(mirror, relative),
      modRevision,
      createRevision,
      version,
    }
  }

  #objectsOf(given: readonly unknown[]): readonly DesiredObject[] {
    const documents = given.filter((document) => document !== null && document !== undefined)
    if (documents.length > MAX_OBJECTS) throw fault(`gives more than ${MAX_OBJECTS} objects`)
    const objects = documents.map((document) => this.#desired(document))
    const ids = objects.map(({ resource, name }) => `${resource.kind} ${name}`)
    const twice = ids.find((id, index) => ids.indexOf(id) !== index)
    if (twice !== undefined) throw fault(`gives ${twice} twice`)
    return objects
  }

  #desired(document: unknown): DesiredObject {
    const { apiVersion, kind, metadata, status, ...rest } = recordOf(document, 'gives something else than an object')
    const resource = this.#resources.find((each) => apiVersionOf(each) === apiVersion && each.kind === kind)
    if (resource === undefined) throw fault(`gives ${nameOfKind(apiVersion, kind)}, which --allow-kinds does not name`)
    if (kind === 'Secret' && REFUSED_SECRET_TYPES.some((type) => rest.type === type)) {
      throw fault('gives a Secret of a type that gives access to the cluster')
    }
    const { name, namespace, labels, annotations } = recordOf(metadata, 'gives an object without metadata')
    if (typeof name !== 'string' || !isDnsSubdomain(name)) throw fault('gives an object without a valid metadata.name')
    if (namespace !== undefined && namespace !== this.#namespace) throw fault('gives an object of another namespace')
    const manifest: KubeObject = {
      ...rest,
      metadata: {
        name,
        ...(labels !== undefined && { labels: textsOf(labels, 'labels') }),
        ...(annotations !== undefined && { annotations: textsOf(annotations, 'annotations') }),
      },
    }
    const hash = createHash('sha256')
      .update(JSON.stringify([apiVersion, kind, manifest]))
      .digest('hex')
    return { resource, name, manifest, hash }
  }
}

function recordOf(json: unknown, state: string): Readonly<Record<string, unknown>> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  throw fault(state)
}

function textsOf(json: unknown, what: string): Readonly<Record<string, string>> {
  const record = recordOf(json, `gives ${what} that are no object`)
  if (Object.values(record).every((value) => typeof value === 'string')) return record as Record<string, string>
  throw fault(`gives ${what} that are no text: quote them`)
}

function nameOfKind(apiVersion: unknown, kind: unknown): string {
  return typeof apiVersion === 'string' && typeof kind === 'string'
    ? `${apiVersion} ${kind}`
    : 'an object without a kind'
}

function fault(state: string): KeyFault {
  return new KeyFault(`its template ${state}`, 'Correct the template or the key.')
}
