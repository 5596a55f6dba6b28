// What a reader of a mirrored tree sees: resolve `current` once, then read below what it names.
import { readdir, readFile, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { cyan, dim, green, red } from './console.mjs'

const marks = { '+': green, '~': cyan, '-': red, ' ': (text) => text }

/** `{ name, revision, files }` of the tree that stands now, or undefined before the first one. */
export async function readTree(root) {
  try {
    const directory = await realpath(join(root, 'current'))
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const files = {}
    for (const path of paths.sort()) files[path.slice(directory.length + 1)] = await readFile(path, 'utf8')
    const name = basename(directory)
    return { name, revision: Number.parseInt(name, 10), files }
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** The lines that show a tree, with what is new (+), changed (~) and gone (-) since the one before. */
export function treeLines(tree, before = tree) {
  const paths = [...new Set([...Object.keys(before.files), ...Object.keys(tree.files)])].sort()
  const width = Math.max(...paths.map((path) => path.length), 0)
  const lines = paths.map((path) => {
    const mark = markOf(tree.files[path], before.files[path])
    return marks[mark](`    ${mark} ${path.padEnd(width)}  ${tree.files[path] ?? ''}`.trimEnd())
  })
  return [`    ${dim('current ->')} .revisions/${tree.name}`, ...lines]
}

function markOf(now, before) {
  if (now === before) return ' '
  if (before === undefined) return '+'
  return now === undefined ? '-' : '~'
}
