import { spawn } from 'node:child_process'
import { watch } from 'node:fs'
import { createInterface } from 'node:readline'
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

/** What the observing process is told. */
export type ObserverSpec =
  | { readonly kind: 'tree'; readonly root: string }
  | { readonly kind: 'etcdctl'; readonly program: string; readonly endpoint: string; readonly prefix: string }

export function observe(spec: ObserverSpec): Observer {
  return spec.kind === 'tree' ? new TreeObserver(spec.root) : new EtcdctlObserver(spec)
}

/** Sees the flips of `current`, by inotify. */
class TreeObserver implements Observer {
  readonly #root: string
  readonly #seen: { readonly revision: number; readonly at: number }[] = []
  readonly #watcher
  #waiting: { readonly revision: number; readonly resolve: (at: number) => void }[] = []

  constructor(root: string) {
    this.#root = root
    this.#watcher = watch(root, () => this.#look())
    this.#look()
  }

  seen({ revision }: Acknowledged): Promise<number> {
    const first = this.#seen.find((entry) => entry.revision >= revision)
    if (first !== undefined) return Promise.resolve(first.at)
    return new Promise((resolve) => this.#waiting.push({ revision, resolve }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher.close()
  }

  #look(): void {
    const at = performance.now()
    const revision = visibleRevision(this.#root) ?? 0
    if (revision <= (this.#seen.at(-1)?.revision ?? -1)) return
    this.#seen.push({ revision, at })
    for (const waiter of this.#waiting) if (waiter.revision <= revision) waiter.resolve(at)
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > revision)
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
