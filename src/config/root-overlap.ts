import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface NamedRoot {
  readonly name: string
  /** Absolute and normalised. */
  readonly root: string
}

export interface RootOverlap {
  /** Index of the later of the two. */
  readonly index: number
  readonly message: string
}

/**
 * Pairs of mirrors whose roots are one directory or lie one in the other, as written or once the symbolic links in the
 * part that exists are followed: they would delete each other's files.
 */
export async function rootOverlaps(mirrors: readonly NamedRoot[]): Promise<RootOverlap[]> {
  const places = await Promise.all(
    mirrors.map(async (mirror) => ({ ...mirror, paths: [mirror.root, await resolveExisting(mirror.root)] })),
  )
  return places.flatMap((later, index) => {
    for (const earlier of places.slice(0, index)) {
      const relation = relate(later.paths, earlier.paths)
      if (relation === undefined) continue
      const message = `the root of mirror "${later.name}" (${later.root}) ${relation} the root of mirror "${earlier.name}" (${earlier.root})`
      return [{ index, message }]
    }
    return []
  })
}

function relate(later: readonly string[], earlier: readonly string[]): string | undefined {
  const some = (test: (a: string, b: string) => boolean) => later.some((a) => earlier.some((b) => test(a, b)))
  if (some((a, b) => a === b)) return 'is also'
  if (some((a, b) => a.startsWith(`${b}/`))) return 'lies inside'
  if (some((a, b) => b.startsWith(`${a}/`))) return 'holds'
  return undefined
}

/** The path with the links of its existing part followed; as it is where that cannot be found out. */
async function resolveExisting(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await resolveExisting(parent), basename(path))
  }
}
