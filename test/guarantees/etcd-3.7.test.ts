import { testRound } from './guarantee-test.ts'

testRound({ kind: 'etcd-3.7', seed: 1 })
