import type { Logger } from '../util/logger.ts'

/** Waits for the end of `running`, but after the abort no longer than the grace. */
export async function drainable(
  running: Promise<unknown>,
  graceMs: number,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  const late = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout | undefined
  const startGrace = () => {
    logger.info({ graceMs }, 'stopping')
    timer = setTimeout(() => {
      logger.warn({ graceMs }, 'drain took longer than the shutdown grace; leaving')
      late.resolve()
    }, graceMs)
  }
  signal.addEventListener('abort', startGrace, { once: true })
  if (signal.aborted) startGrace()
  try {
    await Promise.race([running, late.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', startGrace)
  }
}
