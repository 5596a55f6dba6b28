import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const PROJECT = join(import.meta.dirname, '../../..')

/** A page of the documentation: enough of Markdown to hold it to the code. */
export class Page {
  /** Relative to the project. */
  readonly path: string
  readonly text: string

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
  }

  static read(path: string): Page {
    return new Page(path, readFileSync(join(PROJECT, path), 'utf8'))
  }

  /** The page below one heading of any level, up to the next heading of that level or a higher one. */
  section(heading: string): Page {
    const lines = this.text.split('\n')
    const start = lines.findIndex((line) => headingOf(line)?.title === heading)
    const level = headingOf(lines[start])?.level ?? 0
    const rest = lines.slice(start + 1)
    const end = rest.findIndex((line) => (headingOf(line)?.level ?? Number.POSITIVE_INFINITY) <= level)
    if (level === 0) throw new Error(`${this.path} has no heading ${heading}`)
    return new Page(this.path, rest.slice(0, end === -1 ? undefined : end).join('\n'))
  }

  /** Cells of all tables, header rows and rulers left out. */
  get rows(): string[][] {
    const lines = this.text.split('\n')
    const isRuler = (line: string | undefined) => /^\|[-| ]+\|$/.test(line ?? '')
    return lines
      .filter((line, at) => line.startsWith('|') && !isRuler(line) && !isRuler(lines[at + 1]))
      .map((line) => line.slice(1, -1).split('|'))
      .map((cells) => cells.map((cell) => cell.trim()))
  }

  /** What stands in code marks, code blocks left out. */
  get codes(): string[] {
    return [...this.withoutBlocks.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
  }

  /** Contents of the code blocks of a language. */
  blocks(language: string): string[] {
    const pattern = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms')
    return [...this.text.matchAll(pattern)].map(([, block = '']) => block)
  }

  /** Targets of the links. */
  get links(): string[] {
    return [...this.withoutBlocks.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
  }

  /** As links name the headings. */
  get anchors(): string[] {
    const titles = this.withoutBlocks.split('\n').map((line) => headingOf(line)?.title)
    return titles.filter((title) => title !== undefined).map(slug)
  }

  get withoutBlocks(): string {
    return this.text.replace(/^```.*?^```$/gms, '')
  }
}

/** Every page of the project that people read. */
export function allPages(): Page[] {
  const below = readdirSync(join(PROJECT, 'docs'), { recursive: true, encoding: 'utf8' }).map((path) => `docs/${path}`)
  const top = readdirSync(PROJECT)
  return [...top, ...below].filter((path) => path.endsWith('.md')).map(Page.read)
}

/** What is wrong with the links of a page to other pages and to headings; nothing about other sites. */
export function brokenLinks(page: Page, open: (path: string) => Page | undefined = openPage): string[] {
  return page.links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : open(join(dirname(page.path), path))
    return target === undefined || (anchor !== undefined && !target.anchors.includes(anchor))
  })
}

function openPage(path: string): Page | undefined {
  if (!existsSync(join(PROJECT, path))) return undefined
  return path.endsWith('.md') ? Page.read(path) : new Page(path, '')
}

function headingOf(line: string | undefined): { level: number; title: string } | undefined {
  const [, marks, title] = /^(#+) (.+)$/.exec(line ?? '') ?? []
  return marks === undefined || title === undefined ? undefined : { level: marks.length, title }
}

function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
