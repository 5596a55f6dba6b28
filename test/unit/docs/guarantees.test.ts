import { expect, test } from 'vitest'
import { FAULT_FAMILIES } from '../../guarantees/fault-table.ts'
import { GUARANTEES } from '../../guarantees/judge.ts'
import { Page } from './markdown.ts'

const page = Page.read('docs/guarantees.md')
const readme = Page.read('README.md')

test('docs/guarantees.md lists exactly the guarantees that are judged, each with its function and its test', () => {
  const { rows } = page.section('What is checked')
  const linked = rows.map(([name = '', , , own = '']) => [
    /^\[(\w+)\]/.exec(name)?.[1] ?? '',
    ...new Page('docs/guarantees.md', name + own).links.map((link) => link.replace(/.*\//, '')),
  ])
  const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const expected = Object.keys(GUARANTEES).map((name) => [name, `${kebab(name)}.ts`, `${kebab(name)}.test.ts`])
  expect(linked.sort()).toEqual(expected.sort())
})

test('docs/guarantees.md: every guarantee stands for a promise of README.md', () => {
  const promises = readme.section('What holds the promises').rows.map(([promise]) => promise)
  for (const [guarantee, , promise] of page.section('What is checked').rows) {
    expect([guarantee, promises]).toEqual([guarantee, expect.arrayContaining([promise])])
  }
})

test('docs/guarantees.md lists exactly the faults of the nemesis', () => {
  const listed = page.section('Faults').rows.map(([family, faults = '']) => [family, new Page('', faults).codes])
  const known = Object.entries(FAULT_FAMILIES).map(([family, faults]) => [family, faults.map(({ name }) => name)])
  expect(listed).toEqual(known)
})

test('README.md leads from its promises to docs/guarantees.md', () => {
  expect(readme.section('What holds the promises').links).toContain('docs/guarantees.md')
})
