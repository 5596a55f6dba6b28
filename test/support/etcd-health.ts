import { readFile } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import type { TrackedProcess } from './child-process.ts'
import type { KeyPair } from './tls.ts'
import { eventually } from './wait.ts'

/** How the tests themselves reach an etcd. */
export interface EtcdHealth {
  readonly endpoint: string
  readonly tls?: { readonly ca: string; readonly client?: KeyPair }
}

/** Resolves once etcd calls itself healthy; rejects with what it printed when it ends, or after 3 min. */
export async function waitForHealth(etcd: EtcdHealth, server: TrackedProcess): Promise<void> {
  let output = ''
  server.child.stderr?.on('data', (chunk) => {
    output = (output + chunk).slice(-4000)
  })
  const credentials = etcd.tls?.client && {
    cert: await readFile(etcd.tls.client.cert),
    key: await readFile(etcd.tls.client.key),
  }
  let hasEnded = false
  await eventually(
    async () => {
      if (!server.isRunning) hasEnded = true
      else if (!(await isHealthy(etcd.endpoint, credentials)))
        throw new Error(`etcd is not healthy after 3 min: ${output}`)
    },
    { timeoutMs: 180_000 },
  )
  if (hasEnded) throw new Error(`Cannot start etcd: it ended at once\n${output}`)
}

function isHealthy(endpoint: string, credentials: { cert: Buffer; key: Buffer } | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const url = `${endpoint}/health`
    // The material under test may be expired or for another host on purpose.
    const options = { ...credentials, rejectUnauthorized: false, agent: false, timeout: 1000 }
    const request = url.startsWith('https:') ? httpsGet(url, options) : httpGet(url, options)
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
  })
}
