// Generates the etcd codec when it is absent or older than what it is made from.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './bootstrap.mjs'
import { runCommand } from './commands.mjs'

export async function ensureCodec() {
  const changed = (path) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const made = Math.min(...['rpc.js', 'rpc.d.ts'].map((name) => changed(`src/etcd/generated/${name}`)))
  if (made > changed('scripts/generate-codec.mjs') && made > changed('node_modules/.package-lock.json')) return
  await runCommand(process.execPath, [join(root, 'scripts/generate-codec.mjs')])
}
