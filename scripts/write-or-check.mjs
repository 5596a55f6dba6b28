// The end of every script that makes a page from the code.
import { readFileSync, writeFileSync } from 'node:fs'

/** Writes the page, as `docs/<name>`; with --check on the command line it only says whether it differs, by exit code 1. */
export function writeOrCheck(name, page, script) {
  const file = new URL(`../docs/${name}`, import.meta.url)
  if (!process.argv.includes('--check')) return writeFileSync(file, page)
  if (read(file) === page) return
  console.error(`docs/${name} differs from the code: run \`npx node scripts/${script}\``)
  process.exitCode = 1
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
