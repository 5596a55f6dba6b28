import { expect } from 'vitest'
import type { MirrorDocument } from '../../../src/server/status-document.ts'
import type { LogLine, MirrorProcess } from '../../support/mirror-process.ts'
import type { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'

/** Resolves with the status once a guard holds the copy for that reason, and status, metrics and log agree on it. */
export async function heldFor(rig: MirrorRig, mirror: MirrorProcess, reason: string): Promise<MirrorDocument> {
  const status = await eventually(async () => {
    const found = await rig.status()
    expect(found, mirror.output.slice(-2000)).toMatchObject({ phase: 'Held', lastError: { reason } })
    return found
  })
  expect(await rig.metric('etcd_mirror_held')).toBe(1)
  const [line] = holdLines(mirror, reason)
  expect(line).toMatchObject({
    level: 'error',
    mirror: 'app',
    err: { message: expect.any(String), hint: expect.any(String) },
  })
  return status
}

/** The lines in which the log told of a hold. */
export function holdLines(mirror: MirrorProcess, reason: string): readonly LogLine[] {
  return mirror.logs.filter(
    ({ msg, err }) => msg === 'a guard holds the last good copy' && (err as { code?: string }).code === reason,
  )
}

/** Resolves once nothing is held and the copy is complete up to the writer's last revision. */
export async function released(rig: MirrorRig): Promise<MirrorDocument> {
  return await eventually(
    async () => {
      const status = await rig.status()
      expect(status).toMatchObject({ phase: 'Following', lastError: null })
      expect(status.appliedRevision).toBeGreaterThanOrEqual(rig.writer.log.lastRevision)
      expect(await rig.metric('etcd_mirror_held')).toBe(0)
      return status
    },
    { timeoutMs: 75_000 },
  )
}

/** The revision that the hint of a held copy says to write. */
export function allowanceOf({ lastError }: MirrorDocument): number {
  const [, revision] = /allowDeleteUpTo: (\d+) }/.exec(lastError?.hint ?? '') ?? []
  expect(revision, lastError?.hint ?? '').toBeDefined()
  return Number(revision)
}

/** mirror.yaml with these fields in place of its own or beside them: the running process takes it up. */
export async function reconfigure(rig: MirrorRig, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const target = { files: { root: rig.root } }
  await rig.configure({ mirrors: [{ name: 'app', prefix: rig.prefix, target, ...fields }] })
}

/** Names `<start><number>`. */
export function numbered(count: number, start = 'key'): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${start}${String(index).padStart(4, '0')}`)
}
