import { setFlagsFromString } from 'node:v8'

/** V8 has had the mode since Node 24, and writes a line to stderr about a flag that it does not know. */
const HAS_MEMORY_SAVER = Number.parseInt(process.versions.node, 10) >= 24

/**
 * Keeps V8 from holding memory that nothing uses. By itself it takes what it can get while a process reads much, and one
 * that is idle afterwards never gives it back: of 100,000 keys 150 MiB stay, 100 of them garbage.
 *
 * `Reading`: new objects get 2 MiB instead of up to 32. Most of them die young, so that it costs no time. `Following`: also,
 * garbage is collected when there is nothing else to do, and earlier otherwise, which would make a first copy slower.
 * `Operating`: instead of that the heap grows by a third between two collections; with thousands of mirrors each scrape
 * would wait for those of `Following`.
 */
export function keepHeapSmall(phase: 'Reading' | 'Following' | 'Operating'): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  if (phase === 'Following' && HAS_MEMORY_SAVER) setFlagsFromString('--memory-saver-mode')
  if (phase === 'Operating') setFlagsFromString('--heap-growing-percent=30')
}
