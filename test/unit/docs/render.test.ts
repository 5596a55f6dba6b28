import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { filesTargetSchema } from '../../../src/targets/files/options.ts'
import type { RenderOptions } from '../../../src/targets/render/options.ts'
import { renderingOf } from '../../../src/targets/render/rendering.ts'
import { fileSink, position, publishedFiles, snapshot, tempDirectory } from '../targets/files/support.ts'
import { parseRender, type WrittenRender } from '../targets/render/support.ts'
import { Page } from './markdown.ts'

const page = Page.read('docs/render.md')
const migrating = Page.read('docs/migrating-from-confd.md')

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

/** What a list makes of keys below the prefix of the pages' examples. */
async function publish(render: readonly RenderOptions[], keys: Readonly<Record<string, string>>) {
  const root = tempDirectory()
  const prefix = Buffer.from('/config/app/')
  const sink = fileSink(root, { projection: renderingOf(render, prefix), prefix })
  const below = Object.fromEntries(Object.entries(keys).map(([key, value]) => [`app/${key}`, value]))
  await sink.restore(snapshot(below, position(5)), { signal: new AbortController().signal })
  return publishedFiles(root)
}

const withText = (render: WrittenRender, text: string): RenderOptions[] =>
  parseRender(render).map(({ template, ...rest }) => (template ? { template: { ...template, text } } : rest))

test('docs/render.md: the list of its documents makes exactly the files that stand there', async () => {
  const section = page.section('Documents')
  const { render } = parse(section.blocks('yaml')[0] ?? '') as { render: WrittenRender }
  expect(await publish(parseRender(render), keysOf(section))).toEqual(filesOf(section))
  expect(Object.keys(filesOf(section))).toHaveLength(3)
})

test('docs/render.md: its template makes the file that stands there', async () => {
  const section = page.section('Templates')
  const { render } = parse(section.blocks('yaml')[0] ?? '') as { render: WrittenRender }
  const [, expected] = /^make `app\.conf`:\n\n```\n(.*?)^```$/ms.exec(section.text) ?? []
  const made = await publish(withText(render, section.blocks('liquid')[0] ?? ''), keysOf(section))
  expect(made).toEqual({ 'app.conf': expected })
})

test.each([['Checks'], ['Other names']])('docs/render.md: the example of %s is accepted', (heading) => {
  const [yaml = ''] = page.section(heading).blocks('yaml')
  const written = parse(yaml) as Record<string, unknown[]>
  const parsed = filesTargetSchema.parse({ root: '/m', ...written })
  for (const [field, items] of Object.entries(written)) {
    expect(parsed[field as 'validate' | 'rewrite']).toHaveLength(items.length)
  }
})

test.each([
  [{ validate: [{ files: ['a'] }] }, 'must hold exactly one of: syntax, command'],
  [{ validate: [{ files: ['a'], syntax: 'Json', command: ['x'] }] }, 'must hold exactly one of: syntax, command'],
  [{ validate: [{ files: ['a'], schema: 's', command: ['x'] }] }, 'a schema needs syntax, not a command'],
  [{ validate: [{ files: ['a'], command: [''] }] }, 'must begin with a program'],
  [{ validate: [{ files: ['a'], command: ['x'], timeout: 0 }] }, 'timeout must not be 0'],
])('filesTargetSchema refuses checks that make no sense: %j', (written, message) => {
  const { error } = filesTargetSchema.safeParse({ root: '/m', ...written })
  expect(error?.issues.map((issue) => issue.message).join()).toContain(message)
})

describe('docs/migrating-from-confd.md', () => {
  const keys = keysOf(migrating.section('A setup with three resources'))
  const lines = migrating
    .section('Functions')
    .text.split('\n')
    .filter((line) => line.startsWith('| `'))
  const rows = lines.map((line) =>
    line
      .slice(2, -2)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  )
  const made = rows.filter(([, , result = '']) => result !== '')

  test('has an example for nearly every function', () => expect(made.length).toBeGreaterThan(20))

  test.each(made)('%s', async (_confd, ours = '', result = '') => {
    const text = ours.slice(1, -1)
    const files = await publish(withText([{ template: { file: 'out', source: 'x' } }], text), keys)
    expect(files.out?.trim()).toBe(result.slice(1, -1))
  })
})
