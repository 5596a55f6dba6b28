import { existsSync } from 'node:fs'

export type WorkerName = 'template-worker' | 'render-worker'

/** Where the program of a thread or process is: as source, beside the bundled command, or seen from one of its chunks. */
export function workerFile(name: WorkerName): URL {
  const places = [`./${name}.ts`, `./${name}.js`, `../${name}.js`].map((place) => new URL(place, import.meta.url))
  const found = places.find((url) => existsSync(url))
  if (found === undefined) throw new Error(`Cannot render: ${name}.js is missing beside the program`)
  return found
}
