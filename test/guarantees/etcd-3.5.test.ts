import { testRound } from './guarantee-test.ts'

testRound({ kind: 'etcd-3.5', seed: 1 })
