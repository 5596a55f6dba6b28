import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MirrorDocument, StatusDocument } from '../../src/server/status-document.ts'
import { type ContainerUsage, containerUsage } from '../support/cluster/container-usage.ts'
import type { Machine } from '../support/cluster/machine.ts'
import { eventually } from '../support/wait.ts'
import { type EtcdOfPods, SERVER_NAME } from './etcd-of-pods.ts'

const MANIFESTS = join(import.meta.dirname, '../../deploy/sidecar')
/** Pods start, probes have periods, a kubelet takes its time. */
const SLOWLY = { timeoutMs: 240_000, intervalMs: 250 }

interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
  readonly restartCount: number
  readonly containerID: string
  /** How it ended before it was started again. */
  readonly lastState?: { readonly terminated?: { readonly reason: string } }
}

interface PodCondition {
  readonly type: string
  readonly status: string
  readonly lastTransitionTime: string
}

interface PodStatus {
  readonly phase: string
  readonly reason?: string
  readonly conditions: readonly PodCondition[]
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly initContainerStatuses?: readonly ContainerStatus[]
}

/** A namespace that lets in what PodSecurity calls restricted, with the configuration that deploy/sidecar wants. */
export class PodNamespace {
  /** What its mirror mirrors; ends in "/". */
  readonly prefix: string
  readonly #machine: Machine
  readonly #etcd: EtcdOfPods
  readonly #name: string

  static async create(machine: Machine, etcd: EtcdOfPods, name: string): Promise<PodNamespace> {
    const namespace = new PodNamespace(machine, etcd, name)
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
    await namespace.#create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'etcd-client' }, stringData: etcd.credentials }
    await namespace.#create(secret)
    await namespace.apply('config.yaml')
    // Without it the API server refuses pods.
    await eventually(() => namespace.kubectl(['get', 'serviceaccount', 'default']), SLOWLY)
    return namespace
  }

  private constructor(machine: Machine, etcd: EtcdOfPods, name: string) {
    this.#etcd = etcd
    this.#machine = machine
    this.#name = name
    this.prefix = `/config/${name}/`
  }

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return await this.#machine.exec(['kubectl', '-n', this.#name, ...args], input === undefined ? {} : { input })
  }

  /** Applies a manifest as it stands in deploy/sidecar, with this etcd, this prefix and what `edit` makes of it. */
  async apply(file: string, edit: (manifest: string) => string = (manifest) => manifest): Promise<void> {
    const manifest = edit(await this.manifest(file))
    await this.kubectl(['apply', '-f', '-'], manifest)
  }

  async manifest(file: string): Promise<string> {
    const text = await readFile(join(MANIFESTS, file), 'utf8')
    const endpoints = `endpoints: ["${this.#etcd.endpoint}"]\n    server-name: ${SERVER_NAME}`
    return text
      .replace('endpoints: ["https://etcd.example.com:2379"]', endpoints)
      .replaceAll('/config/app/', this.prefix)
  }

  /** Replaces mirror.yaml of the ConfigMap. */
  async configure(mirrorYaml: string): Promise<void> {
    const patch = JSON.stringify({ data: { 'mirror.yaml': mirrorYaml } })
    await this.kubectl(['patch', 'configmap', 'etcd-mirror', '--patch', patch])
  }

  async mirrorYaml(): Promise<string> {
    return await this.kubectl(['get', 'configmap', 'etcd-mirror', '-o', 'jsonpath={.data.mirror\\.yaml}'])
  }

  async pod(name: string): Promise<PodStatus> {
    return (JSON.parse(await this.kubectl(['get', 'pod', name, '-o', 'json'])) as { status: PodStatus }).status
  }

  async isReady(name: string): Promise<boolean> {
    return readinessOf(await this.pod(name)) !== undefined
  }

  /** Since when it is ready without a break. */
  async readySince(name: string): Promise<string> {
    const readiness = readinessOf(await this.pod(name))
    if (readiness === undefined) throw new Error(`${name} is not ready: ${await this.#story(name)}`)
    return readiness.lastTransitionTime
  }

  async ready(name: string): Promise<PodStatus> {
    return await eventually(async () => {
      const status = await this.pod(name)
      if (readinessOf(status) === undefined) throw new Error(`${name} is not ready: ${await this.#story(name)}`)
      return status
    }, SLOWLY)
  }

  /** What the pod's own HTTP server answers. */
  async get(pod: string, port: number, path: string): Promise<string> {
    return await this.kubectl(['get', '--raw', `/api/v1/namespaces/${this.#name}/pods/${pod}:${port}/proxy${path}`])
  }

  async status(pod: string): Promise<StatusDocument> {
    return JSON.parse(await this.get(pod, 9379, '/status')) as StatusDocument
  }

  async mirror(pod: string): Promise<MirrorDocument> {
    const { mirrors } = await this.status(pod)
    const [first] = mirrors
    if (first === undefined) throw new Error('The process has no mirror')
    return first
  }

  async eventually<T>(check: () => Promise<T>): Promise<T> {
    return await eventually(check, SLOWLY)
  }

  /** The sidecar of a pod, native or not. */
  async sidecar(pod: string): Promise<ContainerStatus> {
    const { containerStatuses = [], initContainerStatuses = [] } = await this.pod(pod)
    const found = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === 'etcd-mirror')
    if (found === undefined) throw new Error(`${pod} has no sidecar`)
    return found
  }

  /** What its files take on the disk of the node. */
  async emptyDirBytes(pod: string, volume: string): Promise<number> {
    const uid = await this.kubectl(['get', 'pod', pod, '-o', 'jsonpath={.metadata.uid}'])
    const path = `/data/kubelet/pods/${uid}/volumes/kubernetes.io~empty-dir/${volume}`
    // Files that go while they are counted are no failure.
    const { stdout } = await this.#machine.run(['du', '--summarize', '--block-size=1', path])
    return Number.parseInt(stdout, 10) || 0
  }

  async usage(pod: string): Promise<ContainerUsage> {
    return await containerUsage(this.#machine, idOf(await this.sidecar(pod)))
  }

  /** Kills the sidecar; resolves once another one runs and is ready. */
  async killSidecar(pod: string): Promise<void> {
    const before = await this.sidecar(pod)
    await this.#machine.exec(['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', idOf(before)])
    await this.#restarted(pod, before)
  }

  /**
   * Fills the memory that the sidecar may use, from a process that the kernel likes better, so that the kernel kills the
   * sidecar; resolves once another one runs and is ready.
   */
  async exhaustMemory(pod: string): Promise<void> {
    const before = await this.sidecar(pod)
    const groups = ['memory/k8s.io', 'k8s.io'].map((parent) => `/sys/fs/cgroup/${parent}/${idOf(before)}`)
    const enter = `for group in ${groups.join(' ')}; do [ ! -d $group ] || echo $$ > $group/cgroup.procs; done`
    const fill = 'head -c 250000000 /dev/zero | tail -n 1 > /dev/null'
    await this.#machine.run(['bash', '-c', `${enter}; ${fill}`])
    await this.#restarted(pod, before)
  }

  async #restarted(pod: string, { restartCount }: ContainerStatus): Promise<void> {
    await this.eventually(async () => {
      const now = await this.sidecar(pod)
      if (now.restartCount === restartCount || !now.ready) throw new Error(`Not restarted: ${await this.#story(pod)}`)
    })
  }

  async #create(object: object): Promise<void> {
    const isNamespace = (object as { kind: string }).kind === 'Namespace'
    const where = isNamespace ? [] : ['-n', this.#name]
    await this.#machine.exec(['kubectl', ...where, 'apply', '-f', '-'], { input: JSON.stringify(object) })
  }

  async #story(name: string): Promise<string> {
    const events = await this.#machine.run(['kubectl', '-n', this.#name, 'describe', 'pod', name])
    const logs = await this.#machine.run(['kubectl', '-n', this.#name, 'logs', name, '-c', 'etcd-mirror', '--tail=20'])
    return `${events.stdout.slice(-1500)}\n${logs.stdout}${logs.stderr}`
  }
}

/** undefined = it is not ready. */
function readinessOf({ conditions }: PodStatus): PodCondition | undefined {
  return conditions.find(({ type, status }) => type === 'Ready' && status === 'True')
}

function idOf({ containerID }: ContainerStatus): string {
  return containerID.replace('containerd://', '')
}
