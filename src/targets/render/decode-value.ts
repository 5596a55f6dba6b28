import { isUtf8 } from 'node:buffer'
import { load, YAMLException } from 'js-yaml'
import { jsonFaultLine } from './json-line.ts'
import { KeyFault } from './key-fault.ts'
import type { ValueForm } from './options.ts'
import type { Plain, PlainObject } from './plain.ts'

/** A few bytes of YAML can name one list a million times. */
const MAX_NODES = 1_000_000
const MAX_DEPTH = 100
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/

/** What a value becomes in a document. Throws `KeyFault`, which holds nothing of the value. */
export function decodeValue(value: Buffer, form: ValueForm): Plain {
  if (form === 'Base64') return value.toString('base64')
  if (!isUtf8(value)) throw new KeyFault('is not UTF-8 text', 'Write the value as UTF-8, or take it as Base64.')
  const text = value.toString('utf8')
  if (form === 'Json') return copyOf(parseJson(text))
  if (form === 'Yaml') return copyOf(parseYaml(text))
  return form === 'Number' ? parseNumber(text) : text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const line = jsonFaultLine(text, error)
    throw new KeyFault(
      `is not JSON${line === undefined ? '' : ` (line ${line})`}`,
      'Correct the value, or take it as Text.',
    )
  }
}

function parseYaml(text: string): unknown {
  if (text.trim() === '') return null
  try {
    return load(text)
  } catch (error) {
    const line = error instanceof YAMLException && error.mark ? ` (line ${error.mark.line + 1})` : ''
    throw new KeyFault(`is not YAML${line}`, 'Correct the value, or take it as Text.')
  }
}

function parseNumber(text: string): number {
  const number = Number(text.trim())
  if (!NUMBER.test(text.trim()) || !Number.isFinite(number)) {
    throw new KeyFault('is not a number', 'Write a decimal number, or take it as Text.')
  }
  return exact(number)
}

/** Digits that a number cannot keep would be a lie. */
function exact(number: number): number {
  if (
    Number.isFinite(number) &&
    (!Number.isInteger(number) || Number.isSafeInteger(number) || Math.abs(number) >= 1e21)
  )
    return number
  throw new KeyFault('holds a number that cannot be kept exactly', 'Write it as text in quotes, or take it as Text.')
}

function copyOf(parsed: unknown): Plain {
  let nodes = 0
  const copy = (value: unknown, depth: number): Plain => {
    nodes += 1
    if (nodes > MAX_NODES || depth > MAX_DEPTH)
      throw new KeyFault('is nested too deep or too large', 'Make it smaller.')
    if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
    if (typeof value === 'number') return exact(value)
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1))
    if (typeof value !== 'object') throw new KeyFault('holds what no document can', 'Take it as Text.')
    const object: Record<string, Plain> = Object.create(null)
    for (const [name, member] of Object.entries(value)) object[name] = copy(member, depth + 1)
    return object satisfies PlainObject
  }
  return copy(parsed, 0)
}
