import { testRound } from './guarantee-test.ts'

// What TLS makes no difference to is for the other rounds.
testRound({ kind: 'tls-3.6', seed: 1, faults: ['certificate', 'cut', 'auth', 'token', 'member', 'restore', 'mirror'] })
