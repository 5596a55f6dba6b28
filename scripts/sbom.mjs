// The bill of materials of a bundle: CycloneDX 1.6, JSON.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packagesOf } from './licenses.mjs'

/**
 * Names every package whose files went into the bundle; `inputs` are the bundled files, relative to `root`. The same
 * bundle has the same text: no time, and a serial number made of the content.
 */
export function sbomText(root, inputs) {
  const own = manifest(root)
  const components = packagesOf(inputs).map((path) => component(manifest(join(root, path))))
  const ref = `pkg:npm/${own.name}@${own.version}`
  const content = {
    metadata: { component: { 'bom-ref': ref, type: 'application', ...described(own), purl: ref } },
    components,
    dependencies: [{ ref, dependsOn: components.map((each) => each['bom-ref']) }],
  }
  const head = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
  }
  return `${JSON.stringify({ ...head, serialNumber: serialOf(content), version: 1, ...content }, null, 2)}\n`
}

function component(found) {
  const purl = `pkg:npm/${found.name.replace('@', '%40')}@${found.version}`
  return { 'bom-ref': purl, type: 'library', ...described(found), purl }
}

function described({ name, version, license }) {
  return { name, version, ...(typeof license === 'string' && { licenses: [{ expression: license }] }) }
}

function manifest(directory) {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
}

/** A UUID of version 5's form. */
function serialOf(content) {
  const hex = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
