import { parseEnv } from 'node:util'
import { load, YAMLException } from 'js-yaml'
import { parse as parseToml, TomlError } from 'smol-toml'
import { jsonFaultLine } from '../render/json-line.ts'
import type { ValidatedSyntax } from './options.ts'

/** A text is not what it should be. The message holds nothing of it. */
export class SyntaxFault extends Error {
  /** From 1 on; undefined = not known. */
  readonly line: number | undefined

  constructor(syntax: ValidatedSyntax, line: number | undefined) {
    super(`is not ${NAMES[syntax]}${line === undefined ? '' : ` (line ${line})`}`)
    this.name = 'SyntaxFault'
    this.line = line
  }
}

const NAMES: Readonly<Record<ValidatedSyntax, string>> = {
  Json: 'JSON',
  Yaml: 'YAML',
  Toml: 'TOML',
  Env: 'a file of variables',
}

/** What a text says. Throws `SyntaxFault`. */
export function parseText(text: string, syntax: ValidatedSyntax): unknown {
  try {
    return PARSERS[syntax](text)
  } catch (error) {
    throw error instanceof SyntaxFault ? error : new SyntaxFault(syntax, lineOf(error, text))
  }
}

const PARSERS: Readonly<Record<ValidatedSyntax, (text: string) => unknown>> = {
  Json: (text) => JSON.parse(text),
  Yaml: (text) => (text.trim() === '' ? null : load(text)),
  Toml: (text) => parseToml(text),
  Env: (text) => {
    refuseNoAssignments(text)
    return parseEnv(text)
  },
}

const ASSIGNMENT = /^\s*(?:export\s+)?[A-Za-z_]\w*=/

/** Every line is blank, a comment, an assignment, or inside the quotes of one. */
function refuseNoAssignments(text: string): void {
  let quote = ''
  for (const [index, line] of text.split('\n').entries()) {
    if (quote === '' && !/^\s*(#.*)?$/.test(line) && !ASSIGNMENT.test(line)) throw new SyntaxFault('Env', index + 1)
    quote = quoteAfter(quote === '' ? line.replace(ASSIGNMENT, '') : line, quote)
  }
  if (quote !== '') throw new SyntaxFault('Env', undefined)
}

/** The quotes that are open at the end of a line. */
function quoteAfter(line: string, before: string): string {
  let quote = before
  if (quote === '' && line.trimStart().startsWith('#')) return ''
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? ''
    if (character === '\\' && quote !== "'") at += 1
    else if (quote === '' && (character === '"' || character === "'")) quote = character
    else if (character === quote) quote = ''
  }
  return quote
}

function lineOf(error: unknown, text: string): number | undefined {
  if (error instanceof YAMLException) return error.mark && error.mark.line + 1
  if (error instanceof TomlError) return error.line
  return jsonFaultLine(text, error)
}
