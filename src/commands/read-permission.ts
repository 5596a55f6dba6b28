/** The etcdctl command that lets the user's role read a prefix, quoted for a shell; all keys for an empty prefix. */
export function readPermissionCommand(prefix: Buffer, username: string | undefined): string {
  const role = `<role of ${username ?? 'the user'}>`
  return `etcdctl role grant-permission '${role}' read ${shellQuoted(prefix)} --prefix=true`
}

function shellQuoted(bytes: Buffer): string {
  const isPlain = bytes.every((byte) => byte >= 0x20 && byte < 0x7f && byte !== 0x27)
  if (isPlain) return `'${bytes.toString('latin1')}'`
  const escaped = [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
  return `$'${escaped}'`
}
