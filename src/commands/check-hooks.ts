import type { MirrorConfig } from '../config/process-config.ts'
import { runSignal } from '../targets/hooks/run-signal.ts'

/** Tries whether the processes that hooks send signals to are there and may be sent one; says so. Returns whether all are. */
export function checkHooks(mirrors: readonly MirrorConfig[], say: (line: string) => void): boolean {
  let isGood = true
  for (const { name, target } of mirrors) {
    const hooks = 'files' in target ? target.files.hooks : []
    for (const { name: hook, signal } of hooks) {
      if (signal === undefined) continue
      try {
        runSignal(signal, { isTrial: true })
        say(`ok       mirror ${name}, hook ${hook}: ${signal.process} can be sent ${signal.signal}`)
      } catch (error) {
        isGood = false
        say(`error    mirror ${name}, hook ${hook}: ${error instanceof Error ? error.message : 'failed'}`)
      }
    }
  }
  return isGood
}
