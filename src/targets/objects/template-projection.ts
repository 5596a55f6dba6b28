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
import type { ManifestKey, RenderJob } from '../render/render-job.ts'
import type { RenderPool } from '../render/render-pool.ts'
import type { TemplateFault } from '../render/template-messages.ts'
import { groupOf } from './key-group.ts'
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

/** Objects of any allowed kind, by a template that is rendered for each key or for each group of keys. */
export class TemplateProjection implements ObjectProjection {
  readonly isGrouped: boolean
  readonly #given: TemplateProjectionOptions
  #resources: readonly KubeResource[] = []
  #namespace = ''

  constructor(given: TemplateProjectionOptions) {
    this.#given = given
    this.isGrouped = given.options.per === 'Group'
  }

  get resources(): readonly KubeResource[] {
    return this.#resources
  }

  async prepare(client: KubeClient, namespace: string, signal: AbortSignal): Promise<void> {
    this.#namespace = namespace
    if (this.#resources.length === 0) this.#resources = await resolveKinds(client, this.#given.allowKinds, signal)
  }

  sourceOf(relativeKey: Buffer): string {
    return objectName(this.#given.mirror, this.isGrouped ? groupOf(relativeKey) : relativeKey)
  }

  async project(entries: readonly KeyValue[], signal: AbortSignal): Promise<Projected> {
    const key = this.#nameOf(entries)
    const answer = await this.#given.renderPool.render(this.#namespace, this.#jobOf(key, entries), signal)
    const { fault, bytes } = answer
    if (fault !== undefined) {
      if (!answer.isStopped) return this.#refused(key, entries, fault)
      throw renderFailure('objects', `the template ${fault.state}`, { hint: fault.hint, key: this.#textOf(key) })
    }
    try {
      return { key, objects: this.#objectsOf(JSON.parse(Buffer.from(bytes).toString('utf8'))) }
    } catch (error) {
      if (error instanceof KeyFault) return { key, reason: error.message }
      throw error
    }
  }

  sourceOfObject({ metadata }: KubeObject): string | undefined {
    return metadata.annotations?.[ANNOTATIONS.source]
  }

  sizeOf({ metadata, status, ...rest }: KubeObject): number {
    return JSON.stringify(rest).length
  }

  /** The key, or what all keys of the group begin with. */
  #nameOf([first]: readonly KeyValue[]): Buffer {
    if (first === undefined) throw new Error('there is no key to project')
    const { prefixLength } = this.#given
    if (!this.isGrouped) return first.key
    return first.key.subarray(0, prefixLength + groupOf(first.key.subarray(prefixLength)).length)
  }

  /** Below the prefix, printable. */
  #textOf(key: Buffer): string {
    return printableKey(key.subarray(this.#given.prefixLength))
  }

  #jobOf(key: Buffer, entries: readonly KeyValue[]): RenderJob {
    const { mirror, prefixLength, options } = this.#given
    // A name that is valid for every kind, and another one for every other key or group.
    const name = this.sourceOf(key.subarray(prefixLength))
    const modRevision = entries.reduce((newest, entry) => Math.max(newest, entry.modRevision), 0)
    const shared = { mirror, namespace: this.#namespace, name }
    return {
      kind: 'manifests',
      template: options.template,
      context: this.isGrouped ? { ...shared, group: this.#textOf(key), modRevision } : shared,
      keys: entries.map((entry) => ({ facts: this.#factsOf(entry, key.length), value: new Uint8Array(entry.value) })),
      isGroup: this.isGrouped,
      form: options.values,
    }
  }

  #factsOf({ key, modRevision, createRevision, version }: KeyValue, groupLength: number): ManifestKey['facts'] {
    const text = this.#textOf(key)
    const path = this.isGrouped && { path: printableKey(key.subarray(groupLength + 1)) }
    return { key: text, segments: text.split('/'), ...path, modRevision, createRevision, version }
  }

  /** Reported by the one key of the group that is at fault, if it is one. */
  #refused(key: Buffer, entries: readonly KeyValue[], fault: TemplateFault): Projected {
    const guilty = entries.find((entry) => this.isGrouped && this.#textOf(entry.key) === fault.key)
    if (guilty) return { key: guilty.key, reason: `${fault.state}; its group is kept as it was` }
    return { key, reason: `its template fails: ${fault.state}` }
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
