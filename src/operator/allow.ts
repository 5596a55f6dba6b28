import { type LabelSelector, selects } from './label-selector.ts'

/** One item of `spec.allow` of a ClusterEtcdConnection. */
export interface AllowRule {
  readonly namespaceSelector: LabelSelector
  /** `{namespace}` stands for the name of the namespace. Each ends in "/" or is empty: the whole store. */
  readonly prefixes: readonly string[]
}

/** Where a mirror stands. */
export interface Tenant {
  readonly namespace: string
  /** Of the namespace. */
  readonly labels: Readonly<Record<string, string>>
}

/**
 * Whether mirrors of a namespace may read a prefix through a ClusterEtcdConnection: an item that selects the namespace
 * grants the prefix, or one above it. What does not end in "/" (and is not empty) grants nothing: `/a` would reach `/ab`.
 */
export function isAllowed(rules: readonly AllowRule[], { namespace, labels }: Tenant, prefix: string): boolean {
  return rules
    .filter(({ namespaceSelector }) => selects(namespaceSelector, labels))
    .flatMap(({ prefixes }) => prefixes.map((each) => each.replaceAll('{namespace}', namespace)))
    .some((granted) => (granted === '' || granted.endsWith('/')) && prefix.startsWith(granted))
}
