// Deliberate faults of the engine, each a small patch of one file. `npm run mutations` proves that the tests named here
// catch every one of them; docs/mutations.md is the table for people.

const REVISIONS = 'test/unit/replication/revisions.test.ts'
const IDENTITY = 'test/unit/replication/identity.test.ts'
const PROOF = 'test/unit/replication/state-proof.test.ts'
const TRACKER = 'test/unit/replication/position-tracker.test.ts'
const FOLLOWER = 'test/unit/mirror/follower.test.ts'
const FILES = 'test/unit/targets/files'

export const MUTATIONS = [
  {
    name: 'resume at header revision',
    file: 'src/replication/revisions.ts',
    find: '    this.#pieces = events.slice(whole)\n',
    replace:
      '    this.#pieces = events.slice(whole)\n    if (response.created) this.confirm(response.header.revision)\n',
    tests: [REVISIONS],
  },
  {
    name: 'resume at A + 1',
    file: 'src/replication/revisions.ts',
    find: 'startRevision: resume.revision,',
    replace: 'startRevision: resume.revision + 1,',
    tests: [REVISIONS],
  },
  {
    name: 'no re-list on compaction',
    file: 'src/replication/watch-end.ts',
    find: 'return error instanceof CompactedError || error instanceof StoreResetError',
    replace: 'return error instanceof StoreResetError',
    tests: [REVISIONS],
  },
  {
    name: 'list → watch gap',
    file: 'src/mirror/follower.ts',
    find: 'watchRevisions(options.rpc, options.prefix, options.position.revision, {',
    replace: 'watchRevisions(options.rpc, options.prefix, options.position.revision + 1, {',
    tests: [FOLLOWER],
  },
  {
    name: 'split revision',
    file: 'src/replication/revisions.ts',
    find: 'const whole = response.fragment ? countWhole(events) : events.length',
    replace: 'const whole = events.length',
    tests: [REVISIONS],
  },
  {
    name: 'fragments kept over a disconnect',
    file: 'src/replication/revisions.ts',
    find: '      resume.discardFragments()\n',
    replace: '',
    tests: [REVISIONS],
  },
  {
    name: 'events that are known are applied again',
    file: 'src/replication/revisions.ts',
    find: 'if (modRevision < newest || modRevision <= this.revision) continue',
    replace: '',
    tests: [REVISIONS],
  },
  {
    name: 'duplicates within an answer count',
    file: 'src/replication/revisions.ts',
    find: 'if (keys.add(key)) changes.push(changeOf(event))',
    replace: 'if (keys.add(key) || true) changes.push(changeOf(event))',
    tests: [REVISIONS],
  },
  {
    name: 'empty-value put dropped',
    file: 'src/replication/revisions.ts',
    find: 'if (keys.add(key)) changes.push(changeOf(event))',
    replace:
      "if (keys.add(key) && (event.type === 'delete' || event.kv.value.length > 0)) changes.push(changeOf(event))",
    tests: [REVISIONS],
  },
  {
    name: 'delete dropped',
    file: 'src/replication/revisions.ts',
    find: 'if (keys.add(key)) changes.push(changeOf(event))',
    replace: "if (keys.add(key) && event.type === 'put') changes.push(changeOf(event))",
    tests: [REVISIONS],
  },
  {
    name: 'no proof before a stream',
    file: 'src/replication/revisions.ts',
    find: '    await options.prove(signal)\n',
    replace: '',
    tests: [REVISIONS],
  },
  {
    name: 'anchor check off',
    file: 'src/replication/state-proof.ts',
    find: "if (!sameAnchor(anchor, kvs[0])) return 'otherAnchor'",
    replace: '',
    tests: [IDENTITY],
  },
  {
    name: 'values do not count for the anchor',
    file: 'src/replication/anchor.ts',
    find: 'expected.valueHash === actual.valueHash',
    replace: 'true',
    tests: [IDENTITY],
  },
  {
    name: 'number of keys not checked',
    file: 'src/replication/state-proof.ts',
    find: "return kvs.length === 0 && count === keyCount ? 'same' : 'otherKeys'",
    replace: "return kvs.length === 0 ? 'same' : 'otherKeys'",
    tests: [IDENTITY],
  },
  {
    name: 'fork behind the anchor unseen',
    file: 'src/replication/state-proof.ts',
    find: 'if (modRevision >= revision) return { countOnly: true }',
    replace: 'if (modRevision > 0) return { countOnly: true }',
    tests: [IDENTITY, PROOF],
  },
  {
    name: 'unchanged since the position, whatever lies before it',
    file: 'src/replication/state-proof.ts',
    find: 'const minModRevision = (anchor?.modRevision ?? revision) + 1',
    replace: 'const minModRevision = revision + 1',
    tests: [PROOF],
  },
  {
    name: 'unchanged without a look at the anchor',
    file: 'src/replication/state-proof.ts',
    find: 'if (!anchor) return header.revision',
    replace: 'if (anchor || !anchor) return header.revision',
    tests: [PROOF],
  },
  {
    name: 'empty prefix never proven',
    file: 'src/replication/identity.ts',
    find: 'if (!anchor && keyCount > 0) return false',
    replace: 'if (!anchor) return false',
    tests: [IDENTITY],
  },
  {
    name: 'cluster id not compared',
    file: 'src/replication/identity.ts',
    find: 'if (bothKnown && header.clusterId !== position.clusterId)',
    replace: 'if (bothKnown && header.clusterId === 1n && position.clusterId === 0n)',
    tests: [IDENTITY],
  },
  {
    name: 'a revision that went back is believed',
    file: 'src/replication/identity.ts',
    find: 'if (header.revision < position.revision)',
    replace: 'if (header.revision < 0)',
    tests: [IDENTITY],
  },
  {
    name: 'deleted anchor kept',
    file: 'src/replication/position-tracker.ts',
    find: "if (type === 'delete') this.#anchors.delete(name)",
    replace: '',
    tests: [TRACKER],
  },
  {
    name: 'keys counted wrongly after a delete',
    file: 'src/replication/position-tracker.ts',
    find: "if (change.type === 'delete') return -1",
    replace: "if (change.type === 'delete') return 0",
    tests: [TRACKER],
  },
  {
    name: 'progress of a server that may lie is believed',
    file: 'src/mirror/follower.ts',
    find: 'if (!item.requested || this.#options.trustsProgress()) this.confirm(item.revision)',
    replace: 'this.confirm(item.revision)',
    tests: [FOLLOWER],
  },
  {
    name: 'a failed batch overwrites what came after it',
    file: 'src/mirror/pending-changes.ts',
    find: 'if (!this.#changes.has(key)) this.#set(key, change)',
    replace: 'this.#set(key, change)',
    tests: ['test/unit/mirror/pending-changes.test.ts', FOLLOWER],
  },
  {
    name: 'memory for a busy target without a limit',
    file: 'src/mirror/follower.ts',
    find: "if (this.#pending.bytes > PENDING_LIMIT_BYTES) this.requestResync('overflow')",
    replace: '',
    tests: [FOLLOWER],
  },
  {
    name: 'a slow server is taken for one that lost events',
    file: 'src/mirror/doubts.ts',
    find: 'doubt.isTrusted ? OF_TRUSTED : OF_UNTRUSTED',
    replace: 'OF_UNTRUSTED',
    tests: ['test/unit/mirror/doubts.test.ts'],
  },
  {
    name: 'pages of a snapshot at different revisions',
    file: 'src/replication/snapshot.ts',
    find: 'yield (await reader.next({ signal, revision })).kvs',
    replace: 'yield (await reader.next({ signal })).kvs',
    tests: ['test/unit/replication/page-reader.test.ts'],
  },
  {
    name: 'pages of a snapshot that leave a key out',
    file: 'src/replication/prefix-range.ts',
    find: 'return Buffer.concat([key, NUL])',
    replace: 'return Buffer.concat([key, Buffer.from([0xff])])',
    tests: ['test/unit/replication/page-reader.test.ts'],
  },
  {
    name: 'prune skipped',
    file: 'src/targets/files/path-changes.ts',
    find: 'if (bytes === undefined) tree.remove(path)\n    else tree.put',
    replace: 'if (bytes !== undefined) tree.put',
    tests: [`${FILES}/file-sink.test.ts`],
  },
  {
    name: 'state after the flip',
    file: 'src/targets/files/publication.ts',
    find: "    onStep('write-state')\n    writeState(files, layout, name, { ...options.state, names: used })\n",
    replace: '',
    and: {
      find: '    files.rename(layout.nextLink, layout.current)\n',
      replace:
        "    files.rename(layout.nextLink, layout.current)\n    onStep('write-state')\n    writeState(files, layout, name, { ...options.state, names: used })\n",
    },
    tests: [`${FILES}/file-sink-faults.test.ts`, `${FILES}/file-sink.test.ts`],
  },
  {
    name: 'state under the name of the tree before',
    file: 'src/targets/files/publication.ts',
    find: 'writeState(files, layout, name, {',
    replace: 'writeState(files, layout, previous ?? name, {',
    tests: [`${FILES}/file-sink.test.ts`],
  },
  {
    name: 'a retired tree reused within its grace',
    file: 'src/targets/files/tree-rotation.ts',
    find: 'isUsable(tree) && tree.freeAt <= now',
    replace: 'isUsable(tree)',
    tests: [`${FILES}/file-sink-rotation.test.ts`],
  },
  {
    name: 'a tree in rotation that missed changes',
    file: 'src/targets/files/tree-rotation.ts',
    find: 'for (const path of changed ?? []) tree.missed?.add(path)',
    replace: '',
    tests: [`${FILES}/file-sink-rotation.test.ts`],
  },
  {
    name: 'a torn InPlace copy resumes',
    file: 'src/targets/files/in-place-publisher.ts',
    find: 'if (this.#hasState) this.#write(state, { isIntent: true })',
    replace: '',
    tests: [`${FILES}/in-place-faults.test.ts`, `${FILES}/in-place.test.ts`],
  },
]

/** The file with the fault in it. Throws when the patch fits no longer, or fits more than one place. */
export function mutate(text, { name, find, replace, and }) {
  const places = text.split(find).length - 1
  if (places !== 1)
    throw new Error(`Cannot apply the mutation "${name}": its text is there ${places} times, wanted once`)
  const mutated = text.replace(find, () => replace)
  return and ? mutate(mutated, { name, ...and }) : mutated
}
