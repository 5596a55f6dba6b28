/** Labels and annotations that the mirror sets itself, or that Kubernetes gives a meaning of its own, are no one else's. */
const RESERVED = /^(?:etcdmirror\.dev\/|app\.kubernetes\.io\/managed-by$)/
const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/
/** Of Kubernetes' 256 KiB the mirror's own annotations need some. */
const MAX_ANNOTATIONS_BYTES = 192 * 1024
/** Of one object; also what keeps the rules of the custom resources cheap. */
const MAX_ENTRIES = 64

/** A DNS subdomain: what most objects may be called. At most 253 characters; each label at most 63 is not asked for. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => DNS_LABEL.test(label))
}

/** Why Kubernetes, or the mirror, does not take these labels; undefined = they are fine. */
export function labelsFault(labels: Readonly<Record<string, string>>): MetadataFault | undefined {
  for (const [index, [key, value]] of Object.entries(labels).entries()) {
    const message = countFault(index) ?? keyFault(key) ?? labelValueFault(value)
    if (message !== undefined) return { key, message }
  }
  return undefined
}

/** Why Kubernetes, or the mirror, does not take these annotations; undefined = they are fine. */
export function annotationsFault(annotations: Readonly<Record<string, string>>): MetadataFault | undefined {
  let bytes = 0
  for (const [index, [key, value]] of Object.entries(annotations).entries()) {
    const message = countFault(index) ?? keyFault(key)
    if (message !== undefined) return { key, message }
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    if (bytes > MAX_ANNOTATIONS_BYTES) return { key, message: 'makes all annotations together larger than 192 KiB' }
  }
  return undefined
}

export interface MetadataFault {
  readonly key: string
  /** Goes on after the key's name. */
  readonly message: string
}

function countFault(index: number): string | undefined {
  return index < MAX_ENTRIES ? undefined : `is one too many: at most ${MAX_ENTRIES} may be set`
}

function keyFault(key: string): string | undefined {
  if (RESERVED.test(key)) return 'is set by the mirror itself'
  const slash = key.indexOf('/')
  if (slash >= 0 && !isDnsSubdomain(key.slice(0, slash))) return 'must have a DNS subdomain before its "/"'
  if (NAME.test(key.slice(slash + 1))) return undefined
  return 'must have a name of 1 to 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit'
}

function labelValueFault(value: string): string | undefined {
  if (value === '' || NAME.test(value)) return undefined
  return 'must have a value of at most 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit'
}
