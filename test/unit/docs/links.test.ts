import { describe, expect, test } from 'vitest'
import { allPages, brokenLinks, Page } from './markdown.ts'

describe('links of the documentation', () => {
  test.each(allPages().map((page) => [page.path, page] as const))('%s links to what exists', (_path, page) => {
    expect(brokenLinks(page)).toEqual([])
  })

  test('brokenLinks finds missing pages and headings', () => {
    const other = new Page('docs/b.md', '# Two words, `code`\n')
    const text =
      '# Here\n[1](b.md) [2](b.md#two-words-code) [3](#here) [4](https://x.example/) [5](c.md) [6](b.md#here) [7](#no)'
    const open = (path: string) => (path === other.path ? other : undefined)
    expect(brokenLinks(new Page('docs/a.md', text), open)).toEqual(['c.md', 'b.md#here', '#no'])
  })
})

test('docs/adr/README.md lists every decision, once and in order, under its own title', () => {
  const decisions = allPages()
    .filter(({ path }) => /^docs\/adr\/\d{4}-/.test(path))
    .sort((left, right) => (left.path < right.path ? -1 : 1))
  const titles = decisions.map(({ path, text }) => [
    path.slice('docs/adr/'.length),
    /^# (?:(?:ADR )?\d+[.:]? )?(.+)$/m.exec(text)?.[1],
  ])
  const listed = Page.read('docs/adr/README.md').rows.map(([number = '', title]) => [
    /\]\((.+)\)/.exec(number)?.[1],
    title,
  ])
  expect(listed).toEqual(titles)
})
