import { spawn } from 'node:child_process'
import { watch } from 'node:fs'
import { createInterface } from 'node:readline'
import type { KubeClient } from '../src/kube/kube-client.ts'
import type { KubeObject } from '../src/kube/kube-object.ts'
import { CONFIG_MAPS } from '../src/kube/kube-resource.ts'
import { ListWatch } from '../src/kube/list-watch.ts'
import { ANNOTATIONS } from '../src/targets/objects/object-identity.ts'
import { systemClock } from '../src/util/clock.ts'
import { kubeClientOf } from './kube-client-of.ts'
import { visibleRevision } from './published-tree.ts'

/** A put that etcd acknowledged. */
export interface Acknowledged {
  readonly revision: number
  readonly value: string
}

/** Somebody who sees changes; times are those of `performance.now()` in this process. */
export interface Observer extends AsyncDisposable {
  /** Resolves with when the change (or one that came after it) could first be seen. */
  seen(change: Acknowledged): Promise<number>
}

export interface ConfigMapSpec {
  /** Path. */
  readonly kubeconfig: string
  readonly namespace: string
  readonly name: string
}

/** What the observing process is told. */
export type ObserverSpec =
  | { readonly kind: 'tree'; readonly root: string }
  | ({ readonly kind: 'configMap' } & ConfigMapSpec)
  | { readonly kind: 'etcdctl'; readonly program: string; readonly endpoint: string; readonly prefix: string }

export function observe(spec: ObserverSpec): Observer {
  if (spec.kind === 'tree') return new TreeObserver(spec.root)
  return spec.kind === 'configMap' ? new ConfigMapObserver(spec) : new EtcdctlObserver(spec)
}

/** Of something that names the revision it shows. */
abstract class RevisionObserver implements Observer {
  readonly #seen: { readonly revision: number; readonly at: number }[] = []
  #waiting: { readonly revision: number; readonly resolve: (at: number) => void }[] = []

  seen({ revision }: Pick<Acknowledged, 'revision'>): Promise<number> {
    const first = this.#seen.find((entry) => entry.revision >= revision)
    if (first !== undefined) return Promise.resolve(first.at)
    return new Promise((resolve) => this.#waiting.push({ revision, resolve }))
  }

  abstract [Symbol.asyncDispose](): Promise<void>

  protected saw(revision: number, at: number): void {
    if (revision <= (this.#seen.at(-1)?.revision ?? -1)) return
    this.#seen.push({ revision, at })
    for (const waiter of this.#waiting) if (waiter.revision <= revision) waiter.resolve(at)
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > revision)
  }
}

/** Sees the flips of `current`, by inotify. */
class TreeObserver extends RevisionObserver {
  readonly #root: string
  readonly #watcher

  constructor(root: string) {
    super()
    this.#root = root
    this.#watcher = watch(root, () => this.#look())
    this.#look()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher.close()
  }

  #look(): void {
    const at = performance.now()
    this.saw(visibleRevision(this.#root) ?? 0, at)
  }
}

/** Sees what a watch of the Kubernetes API tells of one ConfigMap. */
export class ConfigMapObserver extends RevisionObserver {
  readonly #stop = new AbortController()
  readonly #client: Promise<KubeClient>
  readonly #ended: Promise<void>

  constructor({ kubeconfig, namespace, name }: ConfigMapSpec) {
    super()
    this.#client = kubeClientOf(kubeconfig)
    this.#ended = this.#follow(namespace, name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#ended
    await (await this.#client).close()
  }

  async #follow(namespace: string, name: string): Promise<void> {
    const look = (object: KubeObject) => {
      const at = performance.now()
      this.saw(Number(object.metadata.annotations?.[ANNOTATIONS.revision] ?? 0), at)
    }
    const watching = new ListWatch({
      client: await this.#client,
      query: { resource: CONFIG_MAPS, namespace, fieldSelector: `metadata.name=${name}` },
      clock: systemClock,
      onList: (objects) => objects.forEach(look),
      onChange: look,
      onDelete: () => undefined,
    })
    await watching.run(this.#stop.signal)
  }
}

/** Sees what `etcdctl watch` prints through a pipe: what any program that follows etcd has to wait for. */
class EtcdctlObserver implements Observer {
  readonly #seen = new Map<string, number>()
  readonly #waiting = new Map<string, (at: number) => void>()
  readonly #child

  constructor({ program, endpoint, prefix }: Extract<ObserverSpec, { kind: 'etcdctl' }>) {
    const args = [`--endpoints=${endpoint}`, 'watch', '--prefix', prefix]
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    process.once('exit', () => this.#child.kill('SIGKILL'))
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#look(line))
  }

  seen({ value }: Acknowledged): Promise<number> {
    const at = this.#seen.get(value)
    if (at !== undefined) return Promise.resolve(at)
    return new Promise((resolve) => this.#waiting.set(value, resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
  }

  /** Three lines an event: PUT, the key, the value. */
  #look(line: string): void {
    if (!line.startsWith('v')) return
    const at = performance.now()
    this.#seen.set(line, at)
    this.#waiting.get(line)?.(at)
    this.#waiting.delete(line)
  }
}
