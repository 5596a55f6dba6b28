import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { differences } from '../../support/oracle.ts'
import { entriesOf, fileIdentities, readTree } from '../../support/tree-reader.ts'

const PRELOAD = pathToFileURL(join(import.meta.dirname, '../../support/kill-at-file-call.mjs')).href
const copy = promisify(execFile)

/** Every publish has these, whatever it is made of. */
const FLIP = [
  'symlink .revisions/<revision> to .etcd-mirror/current.next',
  'rename .etcd-mirror/current.next to current',
]
const NAME_TREE = ['rename .etcd-mirror/work/<random> to .revisions/<revision>']
const WRITE_STATE = [
  'create .etcd-mirror/trees/<revision>.json.next',
  'write .etcd-mirror/trees/<revision>.json.next',
  'rename .etcd-mirror/trees/<revision>.json.next to .etcd-mirror/trees/<revision>.json',
]
const FORGET_STATE = ['unlink .etcd-mirror/trees/<revision>.json']

// With one etcd alone: its version makes no difference between two file calls.
describe('SIGKILL before each file call, then a restart:', () => {
  let etcd: EtcdServer
  let count = 0
  beforeAll(async () => {
    etcd = await startEtcd({ version: '3.6' })
  })
  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })

  async function makeRig() {
    count += 1
    const rig = await MirrorRig.make(etcd, { prefix: `/test-${count}/` })
    await rig.writer.txn({ same: true, changes: true, 'dir/goes': true, leaf: true, 'leaf/goes': true })
    return rig
  }
  const change = (rig: MirrorRig) =>
    rig.writer.txn({ changes: true, 'dir/goes': undefined, 'leaf/goes': undefined, 'new/comes': true })

  test('a first snapshot', async () => {
    await using rig = await makeRig()
    const killed = await killEverywhere(rig, { startsFrom: undefined })
    expect(killed).toEqual(expect.arrayContaining([...WRITE_STATE, ...NAME_TREE, ...FLIP]))
    expect(killed).toContain('write .etcd-mirror/work/<random>/changes')
  })

  test('a change of a copy', async () => {
    await using rig = await makeRig()
    const startsFrom = await setAside(rig)
    await change(rig)
    const killed = await killEverywhere(rig, { startsFrom })
    expect(killed).toEqual(expect.arrayContaining([...WRITE_STATE, ...NAME_TREE, ...FLIP, ...FORGET_STATE]))
    expect(killed).toContain('rename .etcd-mirror/work/<random> to .etcd-mirror/work/<random>')
    expect(killed).toContain('write .etcd-mirror/work/<random>/changes')
  })

  test('a snapshot over a copy', async () => {
    await using rig = await makeRig()
    const startsFrom = await setAside(rig)
    await change(rig)
    await rig.writer.compact()
    const killed = await killEverywhere(rig, { startsFrom })
    expect(killed).toEqual(expect.arrayContaining([...WRITE_STATE, ...NAME_TREE, ...FLIP, ...FORGET_STATE]))
    expect(killed).toContain('write .etcd-mirror/work/<random>/changes')
  })

  test('a position that is remembered while nothing changes', async () => {
    await using rig = await makeRig()
    const startsFrom = await setAside(rig)
    await etcd.etcdctl(['put', `/elsewhere/${count}`, 'x'])
    expect(await killEverywhere(rig, { startsFrom })).toEqual(expect.arrayContaining(WRITE_STATE))
  })
})

/** Makes the copy that every run of `killEverywhere` starts from; resolves with where it is kept. */
async function setAside(rig: MirrorRig): Promise<string> {
  expect(await rig.runOnce()).toMatchObject({ code: 0 })
  const aside = join(rig.configDirectory, 'root-aside')
  await copy('cp', ['-a', rig.root, aside])
  // What a run left to be tidied up would only make the next one longer.
  await rm(join(aside, '.etcd-mirror/work'), { recursive: true })
  rig.acceptSurroundings()
  return aside
}

/**
 * Learns which file calls bring the copy up to date; then does it again for each of them, killed just before it.
 * Resolves with the calls before which a process was killed.
 */
async function killEverywhere(rig: MirrorRig, { startsFrom }: { startsFrom: string | undefined }) {
  const begin = async () => {
    await rm(rig.root, { recursive: true, force: true })
    if (startsFrom !== undefined) await copy('cp', ['-a', startsFrom, rig.root])
    return fileIdentities(rig.root)
  }
  const killed: string[] = []
  await begin()
  const { code, output } = await observed(rig, '')
  expect(code).toBe(0)
  for (const call of oneOfEachKind([...output.matchAll(/^file call: (.*)$/gm)].map(([, found = '']) => found))) {
    const before = await begin()
    // A call of work in the background may not come before the end.
    if ((await observed(rig, call)).code === null) killed.push(call)
    const left = readTree(rig.root)
    if (left) expect(differences(entriesOf(left, rig.prefix), rig.writer.log.stateAt(left.revision)), call).toEqual([])
    else expect(startsFrom, call).toBeUndefined()
    const identities = fileIdentities(rig.root)
    expect(await rig.runOnce(), call).toMatchObject({ code: 0 })
    const { files } = await rig.expectCopy()
    const now = fileIdentities(rig.root)
    const isEqual = (path: string) => left?.files.get(path)?.equals(files.get(path) ?? Buffer.from('gone')) ?? false
    const kept = [...files.keys()].filter(isEqual)
    if (left) expect(kept, call).toContain('same')
    for (const path of kept) expect(now.get(path), `${path} after ${call}`).toEqual(identities.get(path))
    if (before.has('same')) expect(now.get('same'), call).toEqual(before.get('same'))
  }
  return killed
}

/** Out of consumers' sight one file is like another: of calls there that differ in their paths alone the first counts. */
function oneOfEachKind(calls: readonly string[]): readonly string[] {
  const kind = (call: string) => call.replaceAll(/(?<=work\/<random>\/|\.revisions\/<revision>\/)\S+/g, '…')
  return [...new Map(calls.toReversed().map((call) => [kind(call), call])).values()].reverse()
}

function observed(rig: MirrorRig, killBefore: string) {
  const env = { NODE_OPTIONS: `--import=${PRELOAD}`, FILE_CALLS_ROOT: rig.root, FILE_CALLS_KILL_BEFORE: killBefore }
  return rig.result(rig.command('run', ['--one-time'], env))
}
