import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SourceTree } from '../../support/source-tree.ts'
import { Page, PROJECT } from './markdown.ts'

const pages = ['README.md', 'docs/failure-modes.md', 'docs/running.md'].map(Page.read)
const failureModes = Page.read('docs/failure-modes.md')
const sources = [...SourceTree.read(join(PROJECT, 'src')).files.values()].join('\n')

/** Quoted as `log ...`; what comes after an ellipsis differs from case to case. */
function quotedLogLines(page: Page): string[] {
  const quotes = page.text.replace(/\s+/g, ' ').matchAll(/\blog ((?:`[^`]+`(?:, )?)+)/gi)
  return [...quotes].flatMap(([, quoted = '']) =>
    [...quoted.matchAll(/`([^`…]+)…?`/g)].map(([, line = '']) => line.trim()),
  )
}

test('the pages name only error codes that the code has', () => {
  const declaration = readFileSync(join(PROJECT, 'src/util/etcd-mirror-error.ts'), 'utf8')
  const codes = [...declaration.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code)
  const isCode = (text: string) => /^([A-Z][a-z]+)+$/.test(text) && !/Error$/.test(text)
  const elsewhere = ['Memory', ...unionOf('src/targets/files/layout.ts', 'LayoutKind')]
  for (const page of pages) {
    const named = page.rows.flat().flatMap((cell) => new Page(page.path, cell).codes.filter(isCode))
    expect(
      named.filter((code) => !codes.includes(code) && !elsewhere.includes(code)),
      page.path,
    ).toEqual([])
  }
})

test('docs/failure-modes.md names exactly the phases of a mirror', () => {
  const [, list = ''] = /^- The phase: (.*?)\.$/ms.exec(failureModes.text) ?? []
  expect(new Page('', list).codes).toEqual(unionOf('src/mirror/mirror-status.ts', 'MirrorPhase'))
})

test('docs/compaction.md names exactly the phases of the periodic compaction, and log lines that the code writes', () => {
  const page = Page.read('docs/compaction.md')
  const phases = page.section('What tells').rows.map(([phase = '']) => phase.replaceAll('`', ''))
  expect(phases).toEqual(unionOf('src/compactor/compaction-status.ts', 'CompactionPhase'))
  const [, logged = ''] = /^- The log: (.*?)\.$/ms.exec(page.text) ?? []
  expect(new Page('', logged).codes.filter((line) => !sources.includes(line))).toEqual([])
})

test('docs/failure-modes.md has a row for every error code of the target, of the guards and of the fallback', () => {
  const codes = [
    ...unionOf('src/mirror/sink-error.ts', 'SinkErrorCode'),
    ...unionOf('src/mirror/guard-error.ts', 'GuardCode'),
    'SeedUnusable',
  ]
  const named = failureModes.rows.flatMap((row) => new Page('', row[2] ?? '').codes)
  expect(codes.length).toBeGreaterThan(5)
  expect(codes.filter((code) => !named.includes(code))).toEqual([])
})

test('docs/failure-modes.md quotes only log lines that the code writes', () => {
  const quoted = quotedLogLines(failureModes)
  expect(quoted.length).toBeGreaterThan(8)
  expect(quoted.filter((line) => !sources.includes(line))).toEqual([])
})

test('docs/failure-modes.md: every row says all four things or leaves none of them to guess', () => {
  for (const row of failureModes.rows) {
    expect(row).toHaveLength(4)
    expect(row[0]).toMatch(/^\*\*/)
    expect(row[1]).not.toBe('')
  }
})

/** The literals of a union type. */
function unionOf(path: string, type: string): string[] {
  const text = readFileSync(join(PROJECT, path), 'utf8')
  const [, union = ''] = new RegExp(`^export type ${type} =(.*?)(?:\\n\\n|$(?![\\s\\S]))`, 'ms').exec(text) ?? []
  return [...union.matchAll(/'(\w+)'/g)].map(([, literal = '']) => literal)
}

test('quotedLogLines finds what stands after the word log alone', () => {
  const page = new Page(
    'x.md',
    'log `zero\none`\n\n| a | b |\n|---|---|\n| log `one two`, `three`; `four` | the log, `five` |\n',
  )
  expect(quotedLogLines(page)).toEqual(['zero one', 'one two', 'three'])
})
