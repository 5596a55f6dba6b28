import { expect, test } from 'vitest'
import { PROJECT } from './markdown.ts'

// Plain JavaScript of the build, without declarations.
const { sbomText } = (await import(new URL('../../../scripts/sbom.mjs', import.meta.url).href)) as {
  sbomText: (root: string, inputs: readonly string[]) => string
}

test('sbomText names each package of the bundle once, with version, licence and purl', () => {
  const inputs = [
    'src/main.ts',
    'node_modules/zod/index.js',
    'node_modules/zod/v4/core.js',
    'node_modules/@grpc/grpc-js/a.js',
  ]
  const text = sbomText(PROJECT, inputs)
  const { bomFormat, specVersion, serialNumber, components, metadata } = JSON.parse(text)
  expect([bomFormat, specVersion]).toEqual(['CycloneDX', '1.6'])
  expect(serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(metadata.component).toMatchObject({ name: 'etcd-mirror', licenses: [{ expression: 'Apache-2.0' }] })
  expect(components.map(({ purl }: { purl: string }) => purl.replace(/@[\d.]+$/, ''))).toEqual([
    'pkg:npm/%40grpc/grpc-js',
    'pkg:npm/zod',
  ])
  expect(components[1]).toMatchObject({ type: 'library', name: 'zod', licenses: [{ expression: 'MIT' }] })
  expect(sbomText(PROJECT, inputs)).toBe(text)
})
