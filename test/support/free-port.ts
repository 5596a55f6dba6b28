import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the range that systems take outgoing ports from: a server that is down for a while finds its port free again.
const FIRST_PORT = 20_000
const LAST_PORT = 32_000

/** A loopback TCP port that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT))
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
}
