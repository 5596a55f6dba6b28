import { ensureCluster } from './ensure.mjs'

/** Run by vitest before the first end-to-end test: what a cluster is made of is there, built now if the cache lacks it. */
export async function setup(): Promise<void> {
  await ensureCluster()
}
