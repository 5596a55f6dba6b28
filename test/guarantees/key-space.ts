/** Where a round's mirror looks. */
export const PREFIX = '/app/'
/** Keys of others in the same store. */
export const BUSY_PREFIX = '/other/'

const DIRECTORIES = 8
const KEYS_PER_DIRECTORY = 16

/** Plain keys: a path is a key. */
export const DIRECTORY_NAMES = Array.from({ length: DIRECTORIES }, (_, index) => `${PREFIX}d${index}/`)
export const PLAIN_KEYS = DIRECTORY_NAMES.flatMap((directory) =>
  Array.from({ length: KEYS_PER_DIRECTORY }, (_, index) => `${directory}k${index}`),
)
/** Keys that others make a directory of, now and then. */
export const LEAF_KEYS = [`${PREFIX}leaf`, `${PREFIX}leaf/a`, `${PREFIX}leaf/b/c`, `${PREFIX}leaf/b`]
export const CHURNED_KEY = `${PREFIX}churned`
export const LEASED_PREFIX = `${PREFIX}leased/`
export const LEASED_KEYS = Array.from({ length: 6 }, (_, index) => `${LEASED_PREFIX}${index}`)
/** Written once and never deleted: there is always a newest live put to know the store by. */
export const LASTING_KEY = `${PREFIX}lasting`
export const BULK_PREFIX = `${PREFIX}bulk/`

/** The key of a path below a published tree. */
export function keyOfPath(path: string): string {
  return PREFIX + path.replace(/\/%leaf$/, '')
}
