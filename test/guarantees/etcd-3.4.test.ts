import { testRound } from './guarantee-test.ts'

testRound({ kind: 'etcd-3.4', seed: 1 })
