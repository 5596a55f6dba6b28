import { expect, test } from 'vitest'
import { ConflictPolicy } from '../../../../src/targets/objects/conflict-policy.ts'

const held = (manager: string) => [{ reason: 'FieldManagerConflict', field: '.data.a', manager }]
const live = (manager: string, operation: string) => ({
  metadata: { name: 'app', managedFields: [{ manager, operation }] },
})

test('what was edited by hand is taken back, what another apply holds is not', () => {
  const policy = new ConflictPolicy(() => 0)
  expect(policy.claimant(live('kubectl-edit', 'Update'), held('kubectl-edit'))).toBeUndefined()
  expect(policy.claimant(live('gitops', 'Apply'), held('gitops'))).toBe('gitops')
})

test('who edits again and again has a claim, for as long as that was lately', () => {
  let nowMs = 0
  const policy = new ConflictPolicy(() => nowMs)
  const take = () => policy.claimant(live('operator', 'Update'), held('operator'))
  expect([take(), take(), take()]).toEqual([undefined, undefined, undefined])
  expect(take()).toBe('operator')
  nowMs = 600_001
  expect(take()).toBeUndefined()
})
