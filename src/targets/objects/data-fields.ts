import { isUtf8 } from 'node:buffer'

/** Fields of a ConfigMap: text where the bytes are UTF-8, else base64 in `binaryData`. Fields without data are left out. */
export function configMapFields(data: Iterable<readonly [string, Buffer]>): {
  readonly data?: Readonly<Record<string, string>>
  readonly binaryData?: Readonly<Record<string, string>>
} {
  const text: [string, string][] = []
  const binary: [string, string][] = []
  for (const [name, value] of data) {
    if (isUtf8(value)) text.push([name, value.toString('utf8')])
    else binary.push([name, value.toString('base64')])
  }
  return {
    ...(text.length > 0 && { data: Object.fromEntries(text) }),
    ...(binary.length > 0 && { binaryData: Object.fromEntries(binary) }),
  }
}

/** Fields of a Secret: base64, whatever the bytes. */
export function secretFields(data: Iterable<readonly [string, Buffer]>): {
  readonly data?: Readonly<Record<string, string>>
} {
  const entries = [...data].map(([name, value]): [string, string] => [name, value.toString('base64')])
  return entries.length > 0 ? { data: Object.fromEntries(entries) } : {}
}

/** The data of a ConfigMap or a Secret as an API server returns it: the bytes by name. */
export function bytesOf(
  kind: 'ConfigMap' | 'Secret',
  fields: {
    readonly data?: Readonly<Record<string, string>> | undefined
    readonly binaryData?: Readonly<Record<string, string>> | undefined
  },
): ReadonlyMap<string, Buffer> {
  const encoding = kind === 'ConfigMap' ? 'utf8' : 'base64'
  const decode = (record: Readonly<Record<string, string>> | undefined, as: BufferEncoding): [string, Buffer][] =>
    Object.entries(record ?? {}).map(([name, text]) => [name, Buffer.from(text, as)])
  return new Map([...decode(fields.data, encoding), ...decode(fields.binaryData, 'base64')])
}
