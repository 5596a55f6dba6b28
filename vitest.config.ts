import { defineConfig } from 'vitest/config'

// Those of servers mostly wait for leases and elections: with three at a time two cores are busy.
const WORKERS = 3

export default defineConfig({
  test: {
    projects: [
      // No test is timed: the limit only ends what hangs, also on a machine that is busy.
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 240_000, hookTimeout: 240_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: 'test/rig/global-setup.ts',
          pool: 'forks',
          maxWorkers: WORKERS,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'guarantees',
          include: ['test/guarantees/**/*.test.ts'],
          globalSetup: 'test/rig/global-setup.ts',
          pool: 'forks',
          maxWorkers: WORKERS,
          testTimeout: 900_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: 'test/rig/cluster-setup.ts',
          pool: 'forks',
          // Each file has a whole cluster.
          maxWorkers: 1,
          maxConcurrency: 10,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
