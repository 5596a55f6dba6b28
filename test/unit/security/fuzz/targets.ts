import { configTarget } from './config-target.ts'
import { httpTarget } from './http-target.ts'
import { keyTarget } from './key-target.ts'
import { wireTarget } from './wire-target.ts'

/** Everything that takes input from strangers. `slice`: inputs that belong to the unit tests. */
export const FUZZ_TARGETS = [configTarget, keyTarget, wireTarget, httpTarget] as const
