import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { spawnTracked } from '../test/support/child-process.ts'

const PROGRAM = join(import.meta.dirname, 'peer/kube-client.mjs')

/** What one server-side apply cost the client that made it. */
export interface ApplyCost {
  readonly ms: number
  readonly cpuMs: number
}

/** Applies ConfigMaps from a process of its own. Rejects when it fails. */
export async function runApplies(
  client: 'ours' | 'client-node',
  { kubeconfig, namespace, count }: { readonly kubeconfig: string; readonly namespace: string; readonly count: number },
): Promise<ApplyCost> {
  const args = [PROGRAM, client, kubeconfig, namespace, String(count)]
  const { child, exit } = spawnTracked(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  if (child.stdout === null) throw new Error('there is no output to read')
  const [output, { code }] = await Promise.all([text(child.stdout), exit])
  if (code !== 0) throw new Error(`${client} ended with exit code ${code}`)
  return JSON.parse(output)
}
