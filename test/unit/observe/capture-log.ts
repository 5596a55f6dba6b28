import { createLogger, type LogFormat, type LogLevel } from '../../../src/observe/logger.ts'

/** A real logger whose lines are kept instead of printed. */
export function captureLog({ level = 'info', format = 'json' }: { level?: LogLevel; format?: LogFormat } = {}) {
  const lines: string[] = []
  const logger = createLogger({ level, format, destination: { write: (line) => lines.push(line) } })
  return { logger, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}
