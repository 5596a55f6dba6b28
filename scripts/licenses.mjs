// The licence texts of the packages that went into a bundle.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One section a package; `inputs` are the bundled files, relative to `root`. Throws when a package has no licence. */
export function licenseText(root, inputs) {
  return packagesOf(inputs)
    .map((path) => section(join(root, path)))
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/** Directories of the packages that bundled files are of, sorted. */
export function packagesOf(inputs) {
  return [...new Set(inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []))].sort()
}

function section(directory) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  const files = readdirSync(directory).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
  if (files.length === 0 && typeof license !== 'string') throw new Error(`Cannot bundle ${name}: it names no licence`)
  const by = typeof author === 'string' ? author : author?.name
  const texts = files.map((file) => readFileSync(join(directory, file), 'utf8').trim())
  if (texts.length === 0) texts.push(`The package holds no licence text. Author: ${by ?? 'see its repository'}.`)
  return `${name} ${version} (${license ?? 'see below'})\n\n${texts.join('\n\n')}\n`
}
