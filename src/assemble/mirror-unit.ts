import type { MirrorConfig } from '../config/process-config.ts'
import { targetPlace, targetRoot } from '../config/target-options.ts'
import type { EtcdClient } from '../etcd/etcd-client.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import type { Mirror } from '../mirror/mirror.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { Heartbeat } from '../observe/heartbeat.ts'
import { createMirror, type MirrorContext } from './create-mirror.ts'
import { inheritedStatus, type Predecessor } from './predecessor.ts'

export interface MirrorUnitOptions {
  readonly config: MirrorConfig
  readonly etcd: EtcdOptions
  readonly client: EtcdClient
  readonly context: MirrorContext
  /** The mirror of that name in the configuration before. */
  readonly before: MirrorUnit | undefined
  readonly onOpened: (root: string) => void
}

/** One mirror of the configuration in use, with what the process keeps beside it. */
export class MirrorUnit {
  readonly config: MirrorConfig
  readonly client: EtcdClient
  readonly mirror: Mirror
  readonly heartbeat: Heartbeat
  readonly #context: MirrorContext
  readonly #predecessor: Predecessor | undefined

  constructor({ config, etcd, client, context, before, onOpened }: MirrorUnitOptions) {
    this.config = config
    this.client = client
    this.#context = context
    this.#predecessor = before?.place === this.place ? before.#predecessorOf(config) : undefined
    this.heartbeat = new Heartbeat(context.clock)
    const beat = () => this.heartbeat.beat()
    this.mirror = createMirror(config, context, { etcd, rpc: client, beat, onOpened: () => this.#opened(onOpened) })
  }

  get name(): string {
    return this.config.name
  }

  /** The directory that the mirror owns; undefined = its target is none. */
  get root(): string | undefined {
    return targetRoot(this.config.target)
  }

  /** Where its copy stands. */
  get place(): string {
    return targetPlace(this.config.target)
  }

  status(): MirrorStatus {
    const status = this.mirror.status()
    return this.#predecessor ? inheritedStatus(status, this.#predecessor, this.#context.clock.monotonic()) : status
  }

  #opened(tell: MirrorUnitOptions['onOpened']): void {
    const { root } = this
    if (root !== undefined) tell(root)
  }

  #predecessorOf({ configHash }: MirrorConfig): Predecessor {
    const atMs = this.#context.clock.monotonic()
    return { status: this.status(), atMs, isSameCopy: configHash === this.config.configHash }
  }
}
