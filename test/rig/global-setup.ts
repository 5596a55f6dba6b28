import { ensureServers } from './ensure.mjs'

/** Run by vitest before the first integration test: the servers are there, built now if the cache lacks them. */
export async function setup(): Promise<void> {
  await ensureServers()
}
