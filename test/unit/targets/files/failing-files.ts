import { writeFileSync } from 'node:fs'
import { FileSystem } from '../../../../src/targets/files/file-system.ts'

const MUTATING = ['create', 'mkdir', 'mkdirParents', 'setMode', 'rmdir', 'unlink', 'rename', 'link', 'symlink']

/** Called before each call that changes something; what it throws is what the call throws. */
export type BeforeChange = (method: string, args: readonly unknown[]) => void

/** The real file calls, with a say before each that changes something. */
export function interceptedFiles(beforeChange: BeforeChange): FileSystem {
  const real = new FileSystem()
  return new Proxy(real, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return (...args: unknown[]) => {
        if (MUTATING.includes(String(name))) beforeChange(String(name), args)
        return Reflect.apply(method, target, args)
      }
    },
  })
}

/** What Node throws when a file call fails. */
export function fileError(code: string, syscall = 'open'): Error {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, errno: -1 })
}

/** Files that work until call number `count` (from 1), and from then on not at all, as after SIGKILL. */
export function filesKilledAt(
  count: number,
  isHalfWritten: boolean,
): { files: FileSystem; readonly calls: () => number } {
  let calls = 0
  const files = interceptedFiles((method, args) => {
    calls += 1
    if (calls < count) return
    if (calls === count && isHalfWritten && method === 'create') {
      const [path, bytes] = args
      if (typeof path === 'string' && Buffer.isBuffer(bytes))
        writeFileSync(path, bytes.subarray(0, bytes.length >> 1), { flag: 'wx' })
    }
    throw new Error('killed')
  })
  return { files, calls: () => calls }
}
