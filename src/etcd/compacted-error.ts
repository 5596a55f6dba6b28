import { EtcdMirrorError, type EtcdMirrorErrorOptions } from '../util/etcd-mirror-error.ts'

/** The wanted revision is no longer in etcd's history. Asking again cannot help; a snapshot does. */
export class CompactedError extends EtcdMirrorError {
  /** Oldest revision that can still be read or watched; undefined = the server did not say. */
  readonly compactRevision: number | undefined

  constructor(action: string, compactRevision: number | undefined, options: EtcdMirrorErrorOptions = {}) {
    const state = compactRevision === undefined ? 'compacted' : `compacted up to revision ${compactRevision}`
    super('Compacted', `Cannot ${action}: the revision has been ${state}`, false, options)
    this.compactRevision = compactRevision
  }
}
