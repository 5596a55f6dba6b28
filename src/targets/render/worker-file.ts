import { existsSync } from 'node:fs'

/** As source, beside the bundled command, and seen from one of its chunks. */
const PLACES = ['./template-worker.ts', './template-worker.js', '../template-worker.js']

/** Where the program of the template workers is. */
export function templateWorkerFile(): URL {
  const found = PLACES.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url))
  if (found === undefined) throw new Error('Cannot render templates: template-worker.js is missing beside the program')
  return found
}
