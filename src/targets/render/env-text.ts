import { KeyFault } from './key-fault.ts'

const PLAIN = /^[A-Za-z0-9_.,:/@+=-]+$/
const NAME = /^[A-Z_][A-Z0-9_]*$/

/** `db/max-conn` → `DB_MAX_CONN`. Throws `KeyFault` for what no variable can be called. */
export function envName(key: string): string {
  const name = key.replaceAll(/[/.-]/g, '_').toUpperCase()
  if (NAME.test(name) && /^[\w/.-]*$/.test(key)) return name
  throw new KeyFault(
    'makes no name of a variable',
    'Only letters, digits and "_", "/", "-", "." can be part of it, and no digit comes first: leave the key out by "keys".',
  )
}

/** One assignment as a POSIX shell reads it, and what reads such files without a shell. Throws `KeyFault`. */
export function envLine(name: string, value: string): string {
  if (value.includes('\0')) throw new KeyFault('holds a NUL byte', 'No variable can hold one: take it as Base64.')
  return `${name}=${quoted(value)}\n`
}

function quoted(value: string): string {
  if (value === '' || PLAIN.test(value)) return value
  if (!value.includes("'")) return `'${value}'`
  // Readers that are no shell know nothing of '\''; inside of "…" a shell would replace these four.
  return /["$`\\]/.test(value) ? `'${value.replaceAll("'", "'\\''")}'` : `"${value}"`
}
