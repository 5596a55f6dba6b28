import { readFileSync } from 'node:fs'

/** Put in place by the bundler; absent when the sources run as they are. */
declare const __VERSION__: string | undefined

/** The version of etcd-mirror. */
export function ownVersion(): string {
  if (typeof __VERSION__ === 'string') return __VERSION__
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}
