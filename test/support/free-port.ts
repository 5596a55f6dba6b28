import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the range that systems take outgoing ports from: a server that is down for a while finds its port free again.
const FIRST_PORT = 20_000
const LAST_PORT = 32_000
const SHARES = 8
const SHARE_SIZE = (LAST_PORT - FIRST_PORT) / SHARES

// A port is taken some time after it was found free. Who looks for one meanwhile, in this worker of the tests or in another
// one, has to be told another port: each worker has a share of them, and goes through it in order.
const share = FIRST_PORT + (Number(process.env.VITEST_POOL_ID ?? 0) % SHARES) * SHARE_SIZE
let next = Math.floor(Math.random() * SHARE_SIZE)

/** A loopback TCP port that nobody listens on, and that nobody else was told of just now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = share + next
    next = (next + 1) % SHARE_SIZE
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
