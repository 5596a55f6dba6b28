import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Everything below a directory but what lies below `except`: a line for each path, with type, mode, inode, mtime and content. */
export function describeSurroundings(directory: string, except: readonly string[]): readonly string[] {
  const lines: string[] = []
  const visit = (path: string) => {
    const stats = lstatSync(path)
    // A directory's own mtime changes when the mirror makes its root in it.
    if (stats.isDirectory()) lines.push(`${path} directory ${stats.mode}`)
    else if (stats.isSymbolicLink()) lines.push(`${path} -> ${readlinkSync(path)}`)
    else lines.push(`${path} ${stats.mode} ${stats.ino} ${stats.mtimeMs} ${readFileSync(path, 'base64')}`)
    if (!stats.isDirectory()) return
    for (const name of readdirSync(path).sort()) {
      const child = join(path, name)
      if (!except.includes(child)) visit(child)
    }
  }
  visit(directory)
  return lines
}
