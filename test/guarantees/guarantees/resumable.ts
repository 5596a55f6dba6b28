import type { SeenRestart } from '../record.ts'

/** A restart goes on from where the mirror was: no complete read, and no file written anew whose value is the same. */
export function resumable(restarts: readonly SeenRestart[]): readonly string[] {
  return restarts.flatMap(({ resyncs, before, after, changed }) => {
    const rewritten = [...after].filter(([key, identity]) => {
      const former = before.get(key)
      return former !== undefined && former !== identity && !changed.has(key)
    })
    return [
      ...(resyncs > 0 ? [`a restart read everything anew (${resyncs} times) although etcd had the history`] : []),
      ...rewritten.slice(0, 3).map(([key]) => `a restart wrote the file of ${key} anew`),
    ]
  })
}
