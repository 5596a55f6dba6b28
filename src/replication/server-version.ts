import type { EtcdRpc } from '../etcd/rpc.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

/** etcd's version, or undefined when we may not ask (a user with READ on a prefix alone may not, on some versions). */
export async function readServerVersion(
  rpc: EtcdRpc,
  { signal }: { readonly signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const { version } = await rpc.unary('status', {}, { signal })
    return version || undefined
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof EtcdMirrorError && error.code === 'PermissionDenied') return undefined
    throw error
  }
}

/**
 * Whether watches of this version lose nothing and its answers to progress requests do not overtake events: 3.4.36,
 * 3.5.18, and 3.6 on (etcd-io/etcd#15220, #17529, #18089, #19179). An unknown version counts as old.
 */
export function isCompleteVersion(version: string | undefined): boolean {
  const [major = 0, minor = 0, patch = 0] = (version ?? '').split('.').map((part) => Number.parseInt(part, 10) || 0)
  if (major !== 3) return major > 3
  if (minor === 4) return patch >= 36
  if (minor === 5) return patch >= 18
  return minor >= 6
}
