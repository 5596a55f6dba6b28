import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { KubeClient, ObjectRef } from '../../src/kube/kube-client.ts'
import type { KubeObject } from '../../src/kube/kube-object.ts'
import type { KubeResource } from '../../src/kube/kube-resource.ts'
import type { MirrorDocument, StatusDocument } from '../../src/server/status-document.ts'
import type { RbacRule } from '../../src/targets/objects/rbac-rules.ts'
import type { EtcdServer } from './etcd-server.ts'
import { freePort } from './free-port.ts'
import { type KubeApi, NAMESPACES } from './kube-api.ts'
import { manifestOf, type TestTarget } from './kube-targets.ts'
import { type MirrorProcess, startMirror } from './mirror-process.ts'
import { differences, type Entries } from './oracle.ts'
import { makeTempDir, type TempDir } from './temp-dir.ts'
import { eventually } from './wait.ts'
import { Writer } from './writer.ts'

/** `target` of mirror.yaml. */
export type KubeTarget = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export interface KubeRigOptions {
  readonly api: KubeApi
  readonly etcd: EtcdServer
  /** The targets of the mirrors, all of one process. */
  readonly targets?: readonly TestTarget[]
  /** Default of `targets`: one mirror `app` with this as its `target` of mirror.yaml, and `rules`. */
  readonly target?: KubeTarget
  /** More fields of each mirror. */
  readonly mirror?: Readonly<Record<string, unknown>>
  /** What the mirrors connect to; default: etcd itself. */
  readonly endpoint?: string
  /** What they reach Kubernetes by; default: the API server itself. */
  readonly server?: string
  /** Their rights; default: the least that their targets need. */
  readonly rules?: readonly RbacRule[]
}

export interface KubeRunOptions {
  readonly args?: readonly string[]
  /** Default: those of the rig. */
  readonly targets?: readonly TestTarget[]
}

const USER = 'mirror'
const RBAC = { group: 'rbac.authorization.k8s.io', version: 'v1' }
const ROLES: KubeResource = { ...RBAC, plural: 'roles', kind: 'Role' }
const ROLE_BINDINGS: KubeResource = { ...RBAC, plural: 'rolebindings', kind: 'RoleBinding' }
const never = new AbortController().signal
const context = { signal: never, fieldManager: 'somebody' }
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
    await rig.prepare()
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

  /** The rights that it began with. */
  get rules(): readonly RbacRule[] {
    return this.#options.rules ?? this.#targets.flatMap((target) => target.rules)
  }

  /** Makes the namespace, again when it is gone, and the role of the user in it. */
  async prepare(): Promise<void> {
    const { admin, namespace, rules } = this
    const { group: apiGroup, kind } = ROLES
    const roleRef = { apiGroup, kind, name: USER }
    const subjects = [{ apiGroup, kind: 'User', name: USER }]
    const metadata = { name: USER }
    await admin.create(
      { resource: NAMESPACES, namespace: undefined, name: namespace },
      { metadata: { name: namespace } },
      context,
    )
    await admin.create(this.ref(ROLES, USER), { metadata, rules }, context)
    await admin.create(this.ref(ROLE_BINDINGS, USER), { metadata, roleRef, subjects }, context)
  }

  /** The rights of the mirror's user in the namespace, from now on. */
  async grant(rules: readonly RbacRule[]): Promise<void> {
    const role = await this.get(ROLES, USER)
    if (role === undefined) throw new Error('The role is gone')
    await this.admin.update(this.ref(ROLES, USER), { ...role, rules }, context)
  }

  /** `etcd-mirror run` in a configuration of its own, ended at the latest with the rig. */
  async run({ args = [], targets }: KubeRunOptions = {}): Promise<KubeRun> {
    const http = `127.0.0.1:${await freePort()}`
    const started = await this.#start(['run', '--http-bind', http, ...args], { targets })
    const [first] = targets ?? this.#targets
    return new KubeRun(started, http, first?.mirror ?? 'app', this.writer)
  }

  /** Another command in a configuration of its own; resolves with its exit code and what it printed. */
  async command(name: string, args: readonly string[] = [], target?: KubeTarget) {
    const started = await this.#start([name, ...args], { target })
    const { code } = await started.exit
    return { code, output: started.output }
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

  /** Everything of a kind in the namespace. */
  async list(resource: KubeResource): Promise<readonly KubeObject[]> {
    const objects: KubeObject[] = []
    for await (const { items } of this.admin.list({ resource, namespace: this.namespace }, never))
      objects.push(...items)
    return objects
  }

  /** What a target must show at a revision; default: the newest one. */
  expected({ nameOf }: TestTarget, revision = this.writer.log.lastRevision): Entries {
    const state = this.writer.log.stateAt(revision)
    return new Map([...state].map(([key, value]) => [nameOf(key.slice(this.prefix.length)), value]))
  }

  /** The object of a target of one object holds what the writer wrote, all of it, at the revision that it names. */
  expectRevision(object: KubeObject | undefined, target = this.#only): void {
    const revision = Number(object?.metadata.annotations?.['etcdmirror.dev/revision'])
    const shown = target.shown(object === undefined ? [] : [object], this.prefix)
    expect(differences(shown, this.expected(target, revision))).toEqual([])
  }

  /** Resolves with the objects of the namespace once the target shows what the writer has written last, all of it. */
  async settled(target = this.#only): Promise<readonly KubeObject[]> {
    return await eventually(
      async () => {
        const objects = await this.list(target.resource)
        const shown = target.shown(objects, this.prefix)
        expect(differences(shown, this.expected(target))).toEqual([])
        if (target.isMany) expect(objects.length).toBe(shown.size)
        return objects
      },
      { timeoutMs: 90_000, intervalMs: 100 },
    )
  }

  /** The object that holds a key, once the target shows everything. */
  async holder(key: string, target = this.#only): Promise<KubeObject> {
    const objects = await this.settled(target)
    const found = objects.find(({ metadata }) => metadata.name === target.objectOf(key))
    if (found === undefined) throw new Error(`There is no ${target.resource.kind} of ${key}`)
    return found
  }

  /** Somebody gives a key another value by hand. */
  async edit(key: string, value: string, target = this.#only): Promise<void> {
    const { resource, objectOf, fields } = target
    const patch = JSON.stringify(fields(key, value))
    await this.kubectl(['patch', resource.plural, objectOf(key), '--type=merge', '-p', patch])
  }

  /** Somebody deletes what holds a key. */
  async remove(key: string, target = this.#only): Promise<void> {
    await this.kubectl(['delete', target.resource.plural, target.objectOf(key), '--wait=false'])
  }

  /** Another controller holds to the value of a key by server-side apply; undefined = it lets go. */
  async claim(key: string, value: string | undefined, target = this.#only): Promise<void> {
    const manifest = manifestOf(target, key, value === undefined ? {} : target.fields(key, value))
    const flags = ['--server-side', '--force-conflicts', '--field-manager=gitops']
    await this.kubectl(['apply', ...flags, '-f', '-'], JSON.stringify(manifest))
  }

  /** Somebody else makes the object that would hold a key. */
  async occupy(key: string, target = this.#only): Promise<KubeObject> {
    const { spec } = target
    const manifest = manifestOf(target, key, spec === undefined ? target.fields(key, 'theirs') : { spec })
    return await this.admin.create(this.ref(target.resource, target.objectOf(key)), manifest, context)
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

  get #targets(): readonly TestTarget[] {
    return this.#options.targets ?? []
  }

  get #only(): TestTarget {
    const [target, ...others] = this.#targets
    if (target === undefined || others.length > 0) throw new Error('Which of the targets?')
    return target
  }

  async #start(
    args: readonly string[],
    {
      targets = this.#targets,
      target = this.#options.target,
    }: { readonly targets?: readonly TestTarget[] | undefined; readonly target?: KubeTarget | undefined },
  ): Promise<MirrorProcess> {
    const { api, etcd, endpoint = etcd.endpoint, server } = this.#options
    const directory = join(this.#directory.path, String(this.#processes.length))
    await mkdir(directory)
    const named = targets.map(({ mirror: name, yaml }) => ({ name, target: yaml }))
    const mirrors = target === undefined ? named : [{ name: 'app', target }]
    await writeFile(join(directory, 'etcd.conf'), JSON.stringify({ endpoints: [endpoint] }))
    await writeFile(
      join(directory, 'mirror.yaml'),
      JSON.stringify({ mirrors: mirrors.map((each) => this.#full(each)) }),
    )
    await chmod(join(directory, 'etcd.conf'), 0o600)
    const { namespace } = this
    const kubeconfig = await api.kubeconfig({ user: USER, namespace, ...(server !== undefined && { server }) })
    const ofTargets = targets.flatMap((each) => each.args)
    const started = startMirror([...args, ...ofTargets, '--config-dir', directory], { env: { KUBECONFIG: kubeconfig } })
    this.#processes.push(started)
    return started
  }

  #full(mirror: object): object {
    const safety = { refuseEmpty: false, maxDeletePercent: 100 }
    return { ...mirror, prefix: this.prefix, safety, ...this.#options.mirror }
  }
}

/** A running process, seen as one of its mirrors: the first one. */
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

  /** Seen as the mirror of a target. */
  of({ mirror }: TestTarget): KubeRun {
    return new KubeRun(this.process, this.#http, mirror, this.#writer)
  }

  async status(): Promise<MirrorDocument> {
    const response = await fetch(`http://${this.#http}/status`).catch((error: unknown) => {
      throw new Error(`No status of the process, which says:\n${this.process.output}`, { cause: error })
    })
    const found = ((await response.json()) as StatusDocument).mirrors.find(({ name }) => name === this.#name)
    if (found === undefined) throw new Error(`No mirror ${this.#name}`)
    return found
  }

  /** Resolves once the status says so. */
  async until(check: (status: MirrorDocument) => void, timeoutMs = 60_000): Promise<MirrorDocument> {
    return await eventually(
      async () => {
        const status = await this.status()
        check(status)
        return status
      },
      { timeoutMs },
    )
  }

  /** Resolves once the copy is complete up to the writer's last revision. */
  async settled(timeoutMs?: number): Promise<MirrorDocument> {
    return await this.until((status) => {
      expect(status.published, JSON.stringify(status)).toBe(true)
      expect(status.appliedRevision, JSON.stringify(status)).toBeGreaterThanOrEqual(this.#writer.log.lastRevision)
    }, timeoutMs)
  }

  /** Resolves once it fails for this reason, with a message that holds `text`. */
  async failing(reason: string, text = ''): Promise<MirrorDocument> {
    return await this.until((status) => {
      expect(status.lastError, JSON.stringify(status)).toMatchObject({ reason, message: expect.stringContaining(text) })
    })
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
