import type { KeyValue } from '../../etcd/key-value.ts'
import { printableKey } from '../files/key-path.ts'
import { decodeValue } from '../render/decode-value.ts'
import { KeyFault } from '../render/key-fault.ts'
import { groupOf } from './key-group.ts'
import type { ObjectsTargetOptions } from './options.ts'

export interface TemplateContextOptions {
  readonly prefixLength: number
  readonly values: ObjectsTargetOptions['values']
}

/** What is wrong with one key of a group; `key` is the whole key. */
export class KeyOfGroupFault extends KeyFault {
  readonly key: Buffer

  constructor(key: Buffer, { message, hint }: KeyFault) {
    super(`${message}; its group is kept as it was`, hint)
    this.key = key
  }
}

/** What a template sees of one key. Throws `KeyFault`. */
export function keyContext(
  { key, value, modRevision, createRevision, version }: KeyValue,
  { prefixLength, values }: TemplateContextOptions,
) {
  const text = printableKey(key.subarray(prefixLength))
  return {
    key: text,
    segments: text.split('/'),
    value: decodeValue(value, values),
    modRevision,
    createRevision,
    version,
  }
}

/** What a template sees of a group of keys, sorted. Throws `KeyOfGroupFault`. */
export function groupContext(entries: readonly KeyValue[], options: TemplateContextOptions) {
  const { prefixLength } = options
  const group = groupOf(entries[0]?.key.subarray(prefixLength) ?? Buffer.alloc(0))
  const keys = entries.map((entry) => {
    const path = printableKey(entry.key.subarray(prefixLength + group.length + 1))
    return { ...ofGroup(entry, options), path }
  })
  const modRevision = keys.reduce((newest, key) => Math.max(newest, key.modRevision), 0)
  return { group: printableKey(group), keys, modRevision }
}

function ofGroup(entry: KeyValue, options: TemplateContextOptions) {
  try {
    return keyContext(entry, options)
  } catch (error) {
    throw error instanceof KeyFault ? new KeyOfGroupFault(entry.key, error) : error
  }
}
