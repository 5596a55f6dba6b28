const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'cannot be read: permission denied',
  EPERM: 'cannot be read: permission denied',
  EISDIR: 'is a directory',
  ELOOP: 'cannot be read: its symbolic links go in a circle',
}

/** Why a file or directory could not be read, in words that follow its name. */
export function readFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return WORDS[code] ?? `cannot be read: ${code}`
}
