// The least a program can do with what `etcdctl get --prefix` printed: `node bare-loop.mjs write|compare DUMP PREFIX DIRECTORY`
// writes each value to a file, or reads each file and compares. Synchronous calls, nothing atomic, no modes, no deletes.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const [action, dump = '', prefix = '', directory = ''] = process.argv.slice(2)
const lines = readFileSync(dump, 'latin1').split('\n')
let lastParent = ''
let differing = 0
for (let at = 0; at + 1 < lines.length; at += 2) {
  const key = lines[at].slice(prefix.length)
  const value = lines[at + 1]
  const path = `${directory}/${key}`
  if (action === 'compare') {
    if (readFileSync(path, 'latin1') !== value) differing += 1
    continue
  }
  const parent = path.slice(0, path.lastIndexOf('/'))
  if (parent !== lastParent) mkdirSync(parent, { recursive: true })
  lastParent = parent
  writeFileSync(path, value, 'latin1')
}
process.exitCode = differing === 0 ? 0 : 1
