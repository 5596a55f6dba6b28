import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { publishedFiles, restore, tempDirectory } from '../targets/files/support.ts'
import { renderingSink, type WrittenRender } from '../targets/render/support.ts'
import { Page } from './markdown.ts'

const page = Page.read('docs/render.md')

/** The blocks that stand below a line with nothing but a file's name. */
function filesOf({ text }: Page): Record<string, string> {
  const blocks = text.matchAll(/^`([^`]+)`:\n\n```\w*\n(.*?)^```$/gms)
  return Object.fromEntries([...blocks].map(([, file = '', content = '']) => [file, content]))
}

function keysOf(section: Page): Record<string, string> {
  const [block = ''] = section.blocks('keys')
  return Object.fromEntries(
    block
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ (.*)/s, 2)),
  )
}

test('docs/render.md: the list of its example makes exactly the files that stand there', async () => {
  const section = page.section('Documents')
  const [yaml = ''] = section.blocks('yaml')
  const { render } = parse(yaml) as { render: WrittenRender }
  const root = tempDirectory()
  await restore(renderingSink(root, render), keysOf(section), 5)
  expect(publishedFiles(root)).toEqual(filesOf(section))
  expect(Object.keys(filesOf(section))).toHaveLength(3)
})
