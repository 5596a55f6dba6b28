/**
 * What the runners of `auto-compact` agree on: the key's value is the revision that was compacted to last, in decimal. It
 * is part of no mirror.
 */
export const COMPACTION_KEY = Buffer.from('etcd-mirror/compaction')
