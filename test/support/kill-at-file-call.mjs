// Loaded before the command (`node --import`): names each file call below FILE_CALLS_ROOT that changes something on
// standard error, and kills the process with SIGKILL just before the first one named FILE_CALLS_KILL_BEFORE.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { FILE_CALLS_ROOT: root = '', FILE_CALLS_KILL_BEFORE: killBefore } = process.env
const { openSync, closeSync, writeSync } = fs
const paths = new Map()

for (const name of ['rename', 'link', 'symlink', 'unlink', 'mkdir', 'rmdir', 'chmod', 'copyFile']) {
  const real = fs[`${name}Sync`]
  fs[`${name}Sync`] = (...args) => {
    const places = args.slice(0, ['rename', 'link', 'symlink', 'copyFile'].includes(name) ? 2 : 1)
    if (places.some(isInside)) reached(`${name} ${places.map(short).join(' to ')}`)
    return real(...args)
  }
}
fs.openSync = (path, flags, ...rest) => {
  const isNew = typeof flags === 'number' && (flags & fs.constants.O_CREAT) !== 0
  if (isNew && isInside(path)) reached(`create ${short(path)}`)
  const file = openSync(path, flags, ...rest)
  if (isNew && isInside(path)) paths.set(file, path)
  return file
}
fs.writeSync = (file, ...rest) => {
  if (paths.has(file)) reached(`write ${short(paths.get(file))}`)
  return writeSync(file, ...rest)
}
fs.closeSync = (file) => {
  paths.delete(file)
  return closeSync(file)
}
syncBuiltinESMExports()

function isInside(path) {
  return root !== '' && String(path).startsWith(root)
}

/** The same for every run: revisions and random names are left out. */
function short(path) {
  const below = String(path).replace(`${root}/`, '').replace(root, '.')
  return below.replace(/\b[0-9a-f]{16}\b/, '<random>').replace(/(\.revisions|trees)\/\d+(-\d+)?/, '$1/<revision>')
}

function reached(call) {
  writeSync(2, `file call: ${call}\n`)
  if (call === killBefore) process.kill(process.pid, 'SIGKILL')
}
