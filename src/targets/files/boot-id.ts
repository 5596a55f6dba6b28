import { readFileSync } from 'node:fs'

/** Which run of the machine's kernel this is; undefined where the kernel does not tell (not Linux). */
export function readBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return undefined
  }
}
