import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { dump } from 'js-yaml'
import { Liquid, LiquidError } from 'liquidjs'
import { decodeValue } from './decode-value.ts'
import { KeyFault } from './key-fault.ts'
import { TemplateKeyFault, type TemplateKeys } from './template-keys.ts'
import { TEMPLATE_LIMITS } from './template-limits.ts'
import type { TemplateFault } from './template-messages.ts'

/** Rough count of what Liquid itself makes: lists and texts. */
const MEMORY_UNITS = 200_000_000

/** An engine that reads no files, escapes nothing and takes what is not there for an error. */
export function newLiquid(): Liquid {
  return new Liquid({
    templates: {},
    strictFilters: true,
    strictVariables: true,
    ownPropertyOnly: true,
    parseLimit: TEMPLATE_LIMITS.textLength,
    renderLimit: TEMPLATE_LIMITS.timeMs,
    memoryLimit: MEMORY_UNITS,
  })
}

/** The filters that look at keys, and those that people know from confd and consul-template. */
export function registerFilters(liquid: Liquid, keys: TemplateKeys, env: () => Readonly<Record<string, string>>): void {
  const filters: Readonly<Record<string, (input: unknown, ...given: unknown[]) => unknown>> = {
    get: (key) => keys.text(textOf(key)),
    getOr: (key, fallback) => (keys.has(textOf(key)) ? keys.text(textOf(key)) : (fallback ?? '')),
    getBase64: (key) => keys.bytes(textOf(key)).toString('base64'),
    exists: (key) => keys.has(textOf(key)),
    ls: (directory) => keys.names(textOf(directory), 'all'),
    lsdir: (directory) => keys.names(textOf(directory), 'directories'),
    tree: (directory) => keys.tree(textOf(directory)),
    gets: (glob) => keys.matching(textOf(glob)),
    json: (text) => decodeValue(Buffer.from(textOf(text)), 'Json'),
    yaml: (text) => decodeValue(Buffer.from(textOf(text)), 'Yaml'),
    toJson: (value) => JSON.stringify(value),
    toYaml: (value) => dump(value, { lineWidth: -1, noRefs: true }),
    base64: (text) => Buffer.from(textOf(text)).toString('base64'),
    base64Decode: (text) => Buffer.from(textOf(text), 'base64').toString('utf8'),
    sha256: (text) => createHash('sha256').update(textOf(text)).digest('hex'),
    base: (path) => posix.basename(textOf(path)),
    dir: (path) => posix.dirname(textOf(path)),
    env: (name) => variable(env(), textOf(name)),
  }
  for (const [name, filter] of Object.entries(filters)) liquid.registerFilter(name, filter)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new KeyFault('a filter was given something else than text', 'Look at what stands in front of the "|".')
}

function variable(env: Readonly<Record<string, string>>, name: string): string {
  const value = env[name]
  if (value !== undefined) return value
  throw new KeyFault(`there is no variable ${name}`, 'List it under "env" of the template, and set it.')
}

/** What is wrong with a template or its keys. Texts of errors that might quote a value are left out. */
export function templateFault(error: unknown): TemplateFault {
  const place = placeOf(error)
  const cause = LiquidError.is(error) ? (error.originalError ?? error) : error
  if (cause instanceof KeyFault) {
    const key = cause instanceof TemplateKeyFault ? cause.key : undefined
    return { state: `${place}${cause.message}`, hint: cause.hint, key }
  }
  const name = cause instanceof Error ? cause.name : ''
  const message = cause instanceof Error ? (cause.message.split(', file:')[0]?.split(', line:')[0] ?? '') : ''
  const isOfTemplate = error instanceof Error && NAMES_TEMPLATE_ONLY.test(error.name)
  if (
    isOfTemplate ||
    NAMES_TEMPLATE_ONLY.test(name) ||
    /^undefined (filter|variable): |limit exceeded$/.test(message)
  ) {
    return { state: `${place}${message}`, hint: 'Correct the template.', key: undefined }
  }
  return {
    state: `${place}a filter or tag cannot work on what it is given`,
    hint: 'Correct the template or the key.',
    key: undefined,
  }
}

/** Of these the text is about the template alone. */
const NAMES_TEMPLATE_ONLY = /^(ParseError|TokenizationError|UndefinedVariableError)$/

function placeOf(error: unknown): string {
  const [, line] = /\bline:(\d+)/.exec(error instanceof Error ? error.message : '') ?? []
  return line === undefined ? '' : `line ${line}: `
}
