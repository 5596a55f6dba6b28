import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { MirrorFailure } from './mirror-status.ts'

/** What people are told of an error, when it last happened and since when it does; wall-clock milliseconds. */
export function toMirrorFailure(error: unknown, times: Pick<MirrorFailure, 'atMs' | 'sinceMs'>): MirrorFailure {
  return {
    reason: error instanceof EtcdMirrorError ? error.code : 'Internal',
    message: error instanceof Error ? error.message : 'unknown failure',
    hint: error instanceof EtcdMirrorError ? error.hint : undefined,
    ...times,
  }
}
