import fc from 'fast-check'
import { test } from 'vitest'
import { FUZZ_TARGETS } from './targets.ts'

test.each(FUZZ_TARGETS)('$name takes any input', { timeout: 60_000 }, async ({ property, slice }) => {
  // The same inputs at every run, so that a gate never fails by chance: `npm run fuzz` is what looks for new ones.
  // As it is printed: npm run fuzz -- --only <name> --seed <seed> --path <path>
  await fc.assert(property as fc.IAsyncProperty<unknown>, { numRuns: slice, seed: 20_261_123 })
})
