import { testRound } from './guarantee-test.ts'

testRound({ kind: 'etcd-3.6', seed: 1 })
