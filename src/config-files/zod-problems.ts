import type { z } from 'zod'
import { didYouMean, nearestName } from '../util/suggest.ts'
import type { Findings } from './findings.ts'
import { childSchema, type JsonSchema, jsonSchemaOf, placesOf } from './json-schema.ts'
import type { YamlFile, YamlPath } from './yaml-file.ts'

/**
 * What the schema makes of the file's data; undefined when it does not fit. Then every fault stands in `findings`, each
 * with its place: that of the key when it is unknown, else that of the value.
 */
export function parseWithPlaces<Schema extends z.ZodType>(
  schema: Schema,
  source: YamlFile,
  data: unknown,
  findings: Findings,
): z.output<Schema> | undefined {
  const result = schema.safeParse(data, { error: faultOf })
  if (result.success) return result.data
  const problems = faultsOf(result.error.issues, () => jsonSchemaOf(schema)).map(({ path, message, isKey }) => {
    const place = isKey ? source.placeOfKey(path) : source.placeOf(path)
    return { file: source.file, ...place, path: formatPath(path), message }
  })
  problems.sort((a, b) => a.line - b.line || a.column - b.column)
  for (const problem of problems) findings.problem(problem)
  return undefined
}

/** `mirrors[0].target.files` */
export function formatPath(path: YamlPath): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === 'number') return `${text}[${segment}]`
    return text === '' ? segment : `${text}.${segment}`
  }, '')
}

interface Fault {
  readonly path: YamlPath
  readonly message: string
  readonly isKey: boolean
}

type Issue = z.core.$ZodIssue

function faultsOf(issues: readonly Issue[], schema: () => JsonSchema): Fault[] {
  const faults: Fault[] = []
  /** Places that are spoken for: one mistake must not be told twice in different words. */
  const told = new Set<string>()
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue
    const parent = pathOf(issue)
    const known = Object.keys(parent.reduce(childSchema, schema()).properties ?? {})
    told.add(formatPath(parent))
    for (const key of issue.keys) {
      const advice = didYouMean(key, known) || rightPlace(key, schema())
      faults.push({ path: [...parent, key], message: `unknown key${advice}`, isKey: true })
      told.add(formatPath([...parent, nearestName(key, known) ?? key]))
    }
  }
  for (const issue of issues) {
    const path = pathOf(issue)
    if (issue.code === 'unrecognized_keys' || told.has(formatPath(path))) continue
    told.add(formatPath(path))
    faults.push({ path, message: issue.message, isKey: false })
  }
  return faults
}

/** `, it belongs to x.y` for a key that stands in the wrong place, when there is one right place for it. */
function rightPlace(key: string, schema: JsonSchema): string {
  const [place, ...others] = placesOf(key, schema)
  return place === undefined || place === '' || others.length > 0 ? '' : `, it belongs to ${place}`
}

function pathOf(issue: Issue): YamlPath {
  return issue.path.map((segment) => (typeof segment === 'number' ? segment : String(segment)))
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping (key: value)',
}

/** Words for what zod says; the schemas' own words come before these. */
function faultOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return typeFault(EXPECTED[issue.expected] ?? issue.expected, issue.input)
    case 'invalid_value': {
      const names = issue.values.map(String)
      return `must be ${names.join(' or ')}${typeof issue.input === 'string' ? didYouMean(issue.input, names) : ''}`
    }
    default:
      return undefined
  }
}

function typeFault(expected: string, input: unknown): string {
  if (input === undefined) return `is missing: it must be ${expected}`
  if (input === null) return `has no value: it must be ${expected}`
  const isBare = expected === 'text' && (typeof input === 'number' || typeof input === 'boolean')
  return isBare ? 'must be text: put it in quotes' : `must be ${expected}`
}
