import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { KubeClient, ObjectRef } from '../../src/kube/kube-client.ts'
import type { KubeObject } from '../../src/kube/kube-object.ts'
import { CONFIG_MAPS, type KubeResource, SECRETS } from '../../src/kube/kube-resource.ts'
import type { MirrorDocument, StatusDocument } from '../../src/server/status-document.ts'
import { bytesOf } from '../../src/targets/objects/data-fields.ts'
import { ETCD_KEYS } from '../../src/targets/objects/etcd-key-projection.ts'
import { dataObjectRules, manyObjectsRules, type RbacRule } from '../../src/targets/objects/rbac-rules.ts'
import type { EtcdServer } from './etcd-server.ts'
import { freePort } from './free-port.ts'
import type { KubeApi } from './kube-api.ts'
import { type MirrorProcess, startMirror } from './mirror-process.ts'
import { differences, type Entries } from './oracle.ts'
import { makeTempDir, type TempDir } from './temp-dir.ts'
import { eventually } from './wait.ts'
import { Writer } from './writer.ts'

export type KubeTarget = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export interface KubeRigOptions {
  readonly api: KubeApi
  readonly etcd: EtcdServer
  /** `target` of mirror.yaml. */
  readonly target: KubeTarget
  /** More fields of the mirror. */
  readonly mirror?: Readonly<Record<string, unknown>>
  /** What the mirror connects to; default: etcd itself. */
  readonly endpoint?: string
  /** What it reaches Kubernetes by; default: the API server itself. */
  readonly server?: string
  /** The rights of the mirror; default: the least that its target needs. */
  readonly rules?: readonly RbacRule[]
}

export interface KubeRunOptions {
  readonly name?: string
  readonly args?: readonly string[]
  readonly target?: KubeTarget
}

const never = new AbortController().signal
let count = 0

/**
 * Mirrors of one prefix into one namespace, run by the built command as a user that has the least rights which the
 * documentation names.
 */
export class KubeRig implements AsyncDisposable {
  readonly namespace: string
  readonly prefix: string
  readonly writer: Writer
  readonly admin: KubeClient
  readonly #options: KubeRigOptions
  readonly #directory: TempDir
  readonly #processes: MirrorProcess[] = []

  static async make(options: KubeRigOptions): Promise<KubeRig> {
    count += 1
    const namespace = `test-${process.pid}-${count}`
    const writer = await Writer.open(options.etcd.endpoint, `/${namespace}/`)
    const rig = new KubeRig(options, namespace, writer, await makeTempDir('kube-rig'), await options.api.client())
    await options.api.kubectl(['create', 'namespace', namespace])
    await rig.grant(options.rules ?? leastRules(options.target))
    return rig
  }

  private constructor(
    options: KubeRigOptions,
    namespace: string,
    writer: Writer,
    directory: TempDir,
    admin: KubeClient,
  ) {
    this.#options = options
    this.namespace = namespace
    this.prefix = writer.prefix
    this.writer = writer
    this.#directory = directory
    this.admin = admin
  }

  /** The rights of the mirror's user in the namespace, from now on. */
  async grant(rules: readonly RbacRule[]): Promise<void> {
    const metadata = { name: 'mirror', namespace: this.namespace }
    const apiVersion = 'rbac.authorization.k8s.io/v1'
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'mirror' }
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'mirror' }]
    const items = [
      { apiVersion, kind: 'Role', metadata, rules },
      { apiVersion, kind: 'RoleBinding', metadata, roleRef, subjects },
    ]
    await this.#options.api.kubectl(['apply', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    })
  }

  /** `etcd-mirror run` in a configuration of its own, ended at the latest with the rig. */
  async run({ name = 'app', args = [], target = this.#options.target }: KubeRunOptions = {}) {
    const http = `127.0.0.1:${await freePort()}`
    const started = await this.#start(['run', '--http-bind', http, ...args], name, target)
    return new KubeRun(started, http, name, this.writer)
  }

  /** `etcd-mirror check`: its exit code and what it prints. */
  async check({ name = 'app', args = [], target = this.#options.target }: KubeRunOptions = {}) {
    const started = await this.#start(['check', ...args], name, target)
    const { code } = await started.exit
    return { code, lines: started.output.split('\n') }
  }

  async #start(args: readonly string[], name: string, target: KubeTarget): Promise<MirrorProcess> {
    const { api, etcd, endpoint = etcd.endpoint, mirror, server } = this.#options
    const directory = join(this.#directory.path, String(this.#processes.length))
    await mkdir(directory)
    const safety = { refuseEmpty: false, maxDeletePercent: 100 }
    const mirrors = [{ name, prefix: this.prefix, target, safety, ...mirror }]
    await writeFile(join(directory, 'etcd.conf'), JSON.stringify({ endpoints: [endpoint] }))
    await writeFile(join(directory, 'mirror.yaml'), JSON.stringify({ mirrors }))
    await chmod(join(directory, 'etcd.conf'), 0o600)
    const { namespace } = this
    const kubeconfig = await api.kubeconfig({ user: 'mirror', namespace, ...(server !== undefined && { server }) })
    const started = startMirror([...args, '--config-dir', directory], { env: { KUBECONFIG: kubeconfig } })
    this.#processes.push(started)
    return started
  }

  ref(resource: KubeResource, name: string): ObjectRef {
    return { resource, namespace: this.namespace, name }
  }

  async get(resource: KubeResource, name: string): Promise<KubeObject | undefined> {
    return await this.admin.get(this.ref(resource, name), never)
  }

  /** `data` of an object; throws when there is none. */
  async data(resource: KubeResource, name: string): Promise<Readonly<Record<string, string>>> {
    const object = await this.get(resource, name)
    if (object === undefined) throw new Error(`There is no ${resource.kind} ${name}`)
    return (object.data ?? {}) as Readonly<Record<string, string>>
  }

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return await this.#options.api.kubectl(['-n', this.namespace, ...args], input === undefined ? {} : { input })
  }

  /** The object holds what the writer wrote, all of it, at the revision that it names. */
  expectData(object: KubeObject | undefined, kind: 'ConfigMap' | 'Secret'): void {
    if (object === undefined) throw new Error(`There is no ${kind}`)
    const revision = Number(object.metadata.annotations?.['etcdmirror.dev/revision'])
    expect(differences(bytesOf(kind, object as Parameters<typeof bytesOf>[1]), this.named(revision))).toEqual([])
  }

  /** Everything of a kind in the namespace. */
  async list(resource: KubeResource): Promise<readonly KubeObject[]> {
    const objects: KubeObject[] = []
    for await (const { items } of this.admin.list({ resource, namespace: this.namespace }, never))
      objects.push(...items)
    return objects
  }

  /** The EtcdKeys are what the writer wrote last, all of it. */
  async expectEtcdKeys(): Promise<readonly KubeObject[]> {
    const objects = await this.list(ETCD_KEYS)
    const entries = objects.map(({ spec }): [string, Buffer] => {
      const { key, keyBase64, value, valueBase64 } = spec as Readonly<Record<string, string>>
      const bytes = key === undefined ? Buffer.from(keyBase64 ?? '', 'base64') : Buffer.from(key)
      const content = valueBase64 === undefined ? Buffer.from(value ?? '') : Buffer.from(valueBase64, 'base64')
      return [bytes.toString('latin1'), content]
    })
    expect(differences(new Map(entries), this.writer.log.state)).toEqual([])
    expect(objects.length).toBe(entries.length)
    return objects
  }

  async settledEtcdKeys(): Promise<readonly KubeObject[]> {
    return await eventually(() => this.expectEtcdKeys(), { timeoutMs: 90_000, intervalMs: 200 })
  }

  /** What the data of an object must be at a revision; default: the newest one. */
  named(revision = this.writer.log.lastRevision): Entries {
    const state = this.writer.log.stateAt(revision)
    return new Map([...state].map(([key, value]) => [key.slice(this.prefix.length).replaceAll('/', '.'), value]))
  }

  /** Resolves once the object holds what the writer has written last. */
  async settled(kind: 'ConfigMap' | 'Secret', name = 'app'): Promise<KubeObject> {
    return await eventually(
      async () => {
        const object = await this.get(kind === 'ConfigMap' ? CONFIG_MAPS : SECRETS, name)
        this.expectData(object, kind)
        if (object === undefined) throw new Error('unreachable')
        const data = bytesOf(kind, object as Parameters<typeof bytesOf>[1])
        expect(differences(data, this.named())).toEqual([])
        return object
      },
      { timeoutMs: 60_000 },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of this.#processes) {
      started.signal('SIGCONT')
      await started[Symbol.asyncDispose]()
    }
    this.writer[Symbol.dispose]()
    await this.admin.close()
    await this.#directory[Symbol.asyncDispose]()
  }
}

/** One running mirror. */
export class KubeRun {
  readonly process: MirrorProcess
  readonly #http: string
  readonly #name: string
  readonly #writer: Writer

  constructor(started: MirrorProcess, http: string, name: string, writer: Writer) {
    this.process = started
    this.#http = http
    this.#name = name
    this.#writer = writer
  }

  async status(): Promise<MirrorDocument> {
    const response = await fetch(`http://${this.#http}/status`)
    const found = ((await response.json()) as StatusDocument).mirrors.find(({ name }) => name === this.#name)
    if (found === undefined) throw new Error(`No mirror ${this.#name}`)
    return found
  }

  /** Resolves once the status says so. */
  async until(check: (status: MirrorDocument) => void): Promise<MirrorDocument> {
    return await eventually(
      async () => {
        const status = await this.status()
        check(status)
        return status
      },
      { timeoutMs: 60_000 },
    )
  }

  /** Resolves once the copy is complete up to the writer's last revision. */
  async settled(): Promise<MirrorDocument> {
    return await this.until((status) => {
      expect(status.published, JSON.stringify(status)).toBe(true)
      expect(status.appliedRevision, JSON.stringify(status)).toBeGreaterThanOrEqual(this.#writer.log.lastRevision)
    })
  }

  async failing(reason: string): Promise<MirrorDocument> {
    return await this.until((status) => expect(status.lastError?.reason, JSON.stringify(status)).toBe(reason))
  }

  /** Sum over the series of a metric that hold every given label. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const body = await (await fetch(`http://${this.#http}/metrics`)).text()
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const series = body
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && wanted.every((label) => line.includes(label)))
    return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }
}

function leastRules(target: KubeTarget): readonly RbacRule[] {
  const { configMap, secret, etcdKeys } = target
  if (etcdKeys !== undefined) return manyObjectsRules('app', [ETCD_KEYS])
  if (configMap !== undefined) return dataObjectRules('app', CONFIG_MAPS, String(configMap.name))
  if (secret !== undefined) return dataObjectRules('app', SECRETS, String(secret.name))
  throw new Error('No least rules are known for this target')
}
