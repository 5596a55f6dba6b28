import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

/**
 * The store is proven to be another history than the one the position was taken from: restored from a backup, wiped, or
 * another cluster. Only a snapshot in a new epoch helps.
 */
export class StoreResetError extends EtcdMirrorError {
  constructor(proof: string) {
    super('StoreReset', `Cannot resume: the etcd store was reset (${proof})`, false, {
      hint: 'Nothing to do if etcd was restored on purpose: the mirror takes a snapshot and goes on in a new epoch.',
    })
  }
}
