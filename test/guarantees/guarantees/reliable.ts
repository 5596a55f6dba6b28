import type { SeenChange, SeenStream } from '../record.ts'
import type { SettledHistory } from '../settled-history.ts'

/** A stream gives everything that happened behind its snapshot, in one of the store's histories, and nothing else. */
export function reliable(streams: readonly SeenStream[], eras: readonly SettledHistory[]): readonly string[] {
  return streams.flatMap((stream) => {
    const wrong = eras.map((era) => firstMismatch(stream, era))
    if (wrong.includes(undefined)) return []
    return [`the stream from revision ${stream.from} up to ${stream.upTo}: ${wrong.at(-1) ?? 'there is no history'}`]
  })
}

function firstMismatch(stream: SeenStream, era: SettledHistory): string | undefined {
  const expectedState = era.stateAt(stream.from)
  if (expectedState.size !== stream.snapshot.size) return 'its snapshot has another number of keys'
  for (const [key, digest] of expectedState) {
    if (stream.snapshot.get(key) !== digest) return `its snapshot has another value of ${key}`
  }
  const given = new Map<number, Map<string, string | undefined>>()
  for (const { revision, key, digest } of stream.changes) {
    given.set(revision, (given.get(revision) ?? new Map()).set(key, digest))
  }
  const expected = era.between(stream.from, stream.upTo)
  for (const revision of expected) {
    const lost = [...era.writesAt(revision)].find(([key, digest]) => !holds(given.get(revision), key, digest))
    if (lost) return `${lost[0]} of revision ${revision} was not given`
  }
  const invented = stream.changes.find((change) => !isTrue(change, era))
  return invented && `${invented.key} of revision ${invented.revision} never happened`
}

function holds(writes: ReadonlyMap<string, string | undefined> | undefined, key: string, digest: string | undefined) {
  return writes?.has(key) === true && writes.get(key) === digest
}

function isTrue({ revision, key, digest }: SeenChange, era: SettledHistory): boolean {
  return holds(era.writesAt(revision), key, digest)
}
