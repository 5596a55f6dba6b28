import { COMPACTION_KEY } from '../replication/coordination-key.ts'

/** The etcdctl commands that let the user's role take part in auto-compact, quoted for a shell. */
export function claimPermissionCommands(username: string | undefined): readonly string[] {
  const grant = `etcdctl role grant-permission '<role of ${username ?? 'the user'}>'`
  return [`${grant} readwrite ${COMPACTION_KEY}`, `${grant} read compact_rev_key`]
}
