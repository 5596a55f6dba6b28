import type { KubeObject } from '../../src/kube/kube-object.ts'
import { apiVersionOf, CONFIG_MAPS, type KubeResource, SECRETS } from '../../src/kube/kube-resource.ts'
import { bytesOf } from '../../src/targets/objects/data-fields.ts'
import { ETCD_KEYS } from '../../src/targets/objects/etcd-key-projection.ts'
import { objectName } from '../../src/targets/objects/object-name.ts'
import { dataObjectRules, manyObjectsRules, type RbacRule } from '../../src/targets/objects/rbac-rules.ts'
import type { Entries } from './oracle.ts'

type Fields = Readonly<Record<string, unknown>>

/** A target of Kubernetes objects as tests drive it: one way to say what it shows, to change it and to stand in its way. */
export interface TestTarget {
  /** As in mirror.yaml. */
  readonly kind: 'configMap' | 'secret' | 'etcdKeys' | 'objects'
  /** Name of the mirror. */
  readonly mirror: string
  /** `target` of mirror.yaml. */
  readonly yaml: Fields
  /** What the command must be told besides. */
  readonly args: readonly string[]
  /** Of what the keys stand in. */
  readonly resource: KubeResource
  /** The least rights. */
  readonly rules: readonly RbacRule[]
  /** Each key has an object of its own, which has a name whatever the key. */
  readonly isMany: boolean
  /** Name of the object that holds a key below the prefix. */
  readonly objectOf: (key: string) => string
  /** What a key below the prefix is called there. */
  readonly nameOf: (key: string) => string
  /** Value by name, of all objects of the namespace. */
  readonly shown: (objects: readonly KubeObject[], prefix: string) => Entries
  /** The fields that give a key this value, as a merge patch. */
  readonly fields: (key: string, value: string) => Fields
  /** What an object of somebody else must have besides. */
  readonly spec?: Fields
}

/** What the API server must know before it can hold the objects of `objectsTarget`. */
export const SETTINGS_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'settings.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Setting', listKind: 'SettingList', plural: 'settings', singular: 'setting' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { key: { type: 'string' }, value: { type: 'string' } } },
            },
          },
        },
      },
    ],
  },
}

export const SETTINGS: KubeResource = { group: 'example.com', version: 'v1', plural: 'settings', kind: 'Setting' }

const SETTING_TEMPLATE = `
apiVersion: example.com/v1
kind: Setting
metadata: { name: {{ name }} }
spec: { key: {{ key | toJson }}, value: {{ value | toJson }} }
`

/** One ConfigMap `app`, with further fields of the target. */
export function configMapTarget(more: Fields = {}, mirror = 'app'): TestTarget {
  const fields = (key: string, value: string) => ({ data: { [dotted(key)]: value } })
  return {
    ...dataTarget(CONFIG_MAPS, mirror),
    kind: 'configMap',
    yaml: { configMap: { name: 'app', ...more } },
    fields,
  }
}

/** One Secret `app`, with further fields of the target. */
export function secretTarget(more: Fields = {}, mirror = 'app'): TestTarget {
  const fields = (key: string, value: string) => ({ data: { [dotted(key)]: Buffer.from(value).toString('base64') } })
  return { ...dataTarget(SECRETS, mirror), kind: 'secret', yaml: { secret: { name: 'app', ...more } }, fields }
}

export function etcdKeysTarget(mirror = 'app'): TestTarget {
  const specs = (objects: readonly KubeObject[]) => objects.map(({ spec }) => spec as Readonly<Record<string, string>>)
  return {
    ...manyTarget(ETCD_KEYS, mirror),
    kind: 'etcdKeys',
    yaml: { etcdKeys: {} },
    args: [],
    shown: (objects, prefix) =>
      new Map(
        specs(objects).map(({ key, keyBase64 = '', value = '', valueBase64 }) => {
          const bytes = key === undefined ? Buffer.from(keyBase64, 'base64') : Buffer.from(key)
          const name = bytes.subarray(prefix.length).toString('latin1')
          return [name, valueBase64 === undefined ? Buffer.from(value) : Buffer.from(valueBase64, 'base64')]
        }),
      ),
    fields: (_key, value) => ({ spec: { value } }),
    spec: { key: 'theirs', createRevision: 1, modRevision: 1, version: 1 },
  }
}

/** A Setting, of a kind that only the cluster knows, for each key. */
export function objectsTarget(mirror = 'app'): TestTarget {
  return {
    ...manyTarget(SETTINGS, mirror),
    kind: 'objects',
    yaml: { objects: { template: SETTING_TEMPLATE } },
    args: ['--allow-kinds', 'example.com/v1/Setting'],
    shown: (objects) =>
      new Map(
        objects
          .map(({ spec }) => spec as Readonly<Record<string, string>>)
          .map(({ key = '', value = '' }) => [key, Buffer.from(value)]),
      ),
    fields: (_key, value) => ({ spec: { value } }),
  }
}

/** Of mirrors of different names, so that one process can have them all. */
export const EVERY_TARGET: readonly TestTarget[] = [
  configMapTarget({}, 'config-map'),
  secretTarget({}, 'secret'),
  etcdKeysTarget('etcd-keys'),
  objectsTarget('objects'),
]

/** The object that holds a key, with other fields than those of the mirror. */
export function manifestOf({ resource, objectOf }: TestTarget, key: string, fields: Fields): KubeObject {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: { name: objectOf(key) }, ...fields }
}

function dataTarget(resource: typeof CONFIG_MAPS, mirror: string) {
  return {
    mirror,
    resource,
    args: [],
    rules: dataObjectRules(mirror, resource, 'app'),
    isMany: false,
    objectOf: () => 'app',
    nameOf: dotted,
    shown: (objects: readonly KubeObject[]) => {
      const object = objects.find(({ metadata }) => metadata.name === 'app')
      if (object === undefined) throw new Error(`There is no ${resource.kind} app`)
      return bytesOf(resource === SECRETS ? 'Secret' : 'ConfigMap', object as Parameters<typeof bytesOf>[1])
    },
  }
}

function manyTarget(resource: KubeResource, mirror: string) {
  return {
    mirror,
    resource,
    rules: manyObjectsRules(mirror, [resource]),
    isMany: true,
    objectOf: (key: string) => objectName(mirror, Buffer.from(key)),
    nameOf: (key: string) => key,
  }
}

function dotted(key: string): string {
  return key.replaceAll('/', '.')
}
