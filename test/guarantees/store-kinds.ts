import { Certificates } from './certificates.ts'
import { startClusterStore } from './cluster-store.ts'
import { startSingleStore } from './single-store.ts'
import type { Store } from './store.ts'

/** What a round can be played on, by the name that a command line takes. */
export const STORE_KINDS = {
  'etcd-3.4': () => startSingleStore('3.4'),
  'etcd-3.5': () => startSingleStore('3.5'),
  'etcd-3.6': () => startSingleStore('3.6'),
  'etcd-3.7': () => startSingleStore('3.7'),
  'tls-3.6': async () => startSingleStore('3.6', await Certificates.make()),
  'cluster-3.6': () => startClusterStore('3.6'),
} as const satisfies Readonly<Record<string, () => Promise<Store>>>

export type StoreKind = keyof typeof STORE_KINDS

export function isStoreKind(name: string): name is StoreKind {
  return Object.hasOwn(STORE_KINDS, name)
}
