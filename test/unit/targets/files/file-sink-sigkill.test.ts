import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { PublishStep } from '../../../../src/targets/files/publish-step.ts'
import { PUBLISH_STEPS } from '../../../../src/targets/files/publish-step.ts'
import { apply, fileSink, identities, options, publishedState, restore, tempDirectory } from './support.ts'

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
const NOT_REACHED: Readonly<Record<string, readonly PublishStep[]>> = {
  apply: ['stage', 'remember-position'],
  restore: ['take-tree', 'write-changes', 'remember-position'],
}

describe('file sink, process killed before a step of a publish', () => {
  const cases = Object.entries(NOT_REACHED).flatMap(([write, notReached]) =>
    PUBLISH_STEPS.filter((step) => !notReached.includes(step)).map((step) => ({ write, step })),
  )

  test.each([...cases, { write: 'advance', step: 'remember-position' }])(
    '$write, $step: a whole revision, its position, nothing written twice',
    async ({ write, step }) => {
      const root = tempDirectory()
      const before = { a: '1', same: 's' }
      const after = { a: '2', same: 's' }
      const first = fileSink(root)
      await first.open(options)
      await restore(first, before, 10)
      await first.close()
      const identity = identities(root)

      const child = spawn(process.execPath, [CHILD, root, step, write], { stdio: ['ignore', 'inherit', 'inherit'] })
      const [, signal] = await once(child, 'exit')
      expect(signal).toBe('SIGKILL')

      const isCommitted = step === 'forget-state'
      expect(publishedState(root)).toEqual(isCommitted ? after : before)
      expect(identities(root).same).toBe(identity.same)
      const sink = fileSink(root)
      const { position } = await sink.open(options)
      expect(position?.revision).toBe(isCommitted ? 11 : 10)
      const resumed = await apply(sink, { a: '2' }, 11)
      expect(resumed.published).toBe(!isCommitted)
      expect(publishedState(root)).toEqual(after)
      expect(identities(root).same).toBe(identity.same)
    },
  )
})
