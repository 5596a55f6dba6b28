// npm run check: the one gate before a commit. Types, style, unit tests and the architecture test.
import { bootstrap } from './bootstrap.mjs'
import { ensureCodec } from './codec.mjs'
import { fail } from './console.mjs'
import { checkTypesAndStyle, runSuite } from './steps.mjs'

await bootstrap(import.meta.url)
await ensureCodec()
await checkTypesAndStyle().catch((error) => fail(error.message))
const { passed, failed } = await runSuite('unit')
if (failed > 0 || passed === 0) fail(`${passed} passed, ${failed} failed`)
