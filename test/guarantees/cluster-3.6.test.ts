import { testRound } from './guarantee-test.ts'

testRound({ kind: 'cluster-3.6', seed: 1 })
