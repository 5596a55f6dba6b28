import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { readConfig } from '../../../../src/config/load-config.ts'
import { ConfigError, formatProblem } from '../../../../src/config-files/config-error.ts'

/** Stands where a value may stand; no message may repeat it. */
export const CANARY = 'c4nary-Hunter2'

const ETCD_CONF = `# ${CANARY}
endpoints: ["127.0.0.1:2379", "[::1]:2379"]
dial-timeout: 1s
operation-timeout: 3000000000
insecure-transport: true
username: mirror
keepalive-time: "10s"
session-ttl: 5
`
const MIRROR_YAML = `http: { bind: "127.0.0.1:9379" }
mirrors: # ${CANARY}
  - name: app
    prefix: /config/app/
    keys: { include: ["**", "a/*"], exclude: [], leased: Skip }
    limits: { maxKeys: 250000, maxBytes: 256Mi, maxValueBytes: 8Mi }
    safety: &safety { refuseEmpty: true, maxDeletePercent: 50, allowDeleteUpTo: 0 }
    maxStaleness: 0
    verifyEvery: 1h
    target: { files: { root: /mirror/app, readerGrace: 1s, mode: "0644", render: [ { tree: {} } ] } }
  - { name: b, prefix: /b/, safety: *safety, target: { files: { root: /mirror/b, layout: InPlace } } }
`
const TOKENS = [
  CANARY,
  `"${CANARY}"`,
  `{ a: ${CANARY} }`,
  `[${CANARY}]`,
  `https://u:${CANARY}@h`,
  ': ',
  '- ',
  '\n',
  '\n  ',
  '\t',
  '#',
  '&a ',
  '*a',
  '*safety',
  '!!binary ',
  '!!python/object ',
  '!<tag:x> ',
  '<<: ',
  '|\n',
  '>-\n',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  '? ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '~',
  'null',
  'yes',
  '0x7fffffffffffffff',
  '-1',
  '1e999',
  '.nan',
  '0o17',
  '12:30:45',
  '2026-01-01',
  '__proto__: ',
  'constructor: ',
  'toString: ',
  'mirrors: ',
  'endpoints: ',
  'root: ',
  '/mirror/app/below',
  '\u0000',
  '\u001b[2J',
  '\ufeff',
  '\u202e',
]

/** What is done to a valid file: at a place, so many characters go and a piece comes in. */
const edits = fc.array(
  fc.record({
    at: fc.nat(),
    drop: fc.oneof(fc.constant(0), fc.nat(12)),
    insert: fc.oneof(
      fc.constantFrom(...TOKENS),
      fc.string({ maxLength: 8 }),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
  }),
  { minLength: 1, maxLength: 6 },
)
const mutated = (text: string) =>
  edits.map((all) =>
    all.reduce((changed, { at, drop, insert }) => {
      const place = at % (changed.length + 1)
      return changed.slice(0, place) + insert + changed.slice(place + drop)
    }, text),
  )
const yamlish = fc
  .array(fc.oneof(fc.constantFrom(...TOKENS), fc.string({ maxLength: 5 })), { maxLength: 40 })
  .map((parts) => parts.join(''))
const nested = fc
  .tuple(fc.constantFrom('[', '{a: ', '- ', '? '), fc.integer({ min: 1, max: 3000 }))
  .map(([open, depth]) => open.repeat(depth))
const bombs = fc.nat(12).map((levels) => {
  const lines = Array.from(
    { length: levels },
    (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level}, `.repeat(9)}]`,
  )
  return ['a0: &a0 [x, x]', ...lines].join('\n')
})
const fileOf = (valid: string) =>
  fc.oneof(
    { weight: 6, arbitrary: mutated(valid).map((text) => Buffer.from(text)) },
    { weight: 3, arbitrary: yamlish.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.oneof(nested, bombs).map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 2, arbitrary: fc.constant(Buffer.from(valid)) },
  )

/** Far above what any input takes here, far below what a person would wait for. */
const MAX_CPU_MS = 5000

const directory = mkdtempSync(join(tmpdir(), 'etcd-mirror-fuzz-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))

export const configTarget = {
  name: 'config',
  slice: 800,
  property: fc.asyncProperty(fileOf(ETCD_CONF), fileOf(MIRROR_YAML), async (etcdConf, mirrorYaml) => {
    writeFileSync(join(directory, 'etcd.conf'), etcdConf)
    writeFileSync(join(directory, 'mirror.yaml'), mirrorYaml)
    const flags = { config: undefined, etcdConfig: undefined, configDir: directory, httpBind: undefined }
    const started = process.cpuUsage()
    const attempt = await readConfig({ flags, env: {} })
    const { user, system } = process.cpuUsage(started)
    if ((user + system) / 1000 > MAX_CPU_MS) throw new Error('It took too long')
    if (!attempt.ok && !(attempt.error instanceof ConfigError)) throw new Error('Another error than ConfigError')
    // Only what stands behind the place and the key: an unknown key is named.
    const lines = attempt.ok ? attempt.config.warnings : attempt.error.problems.map(formatProblem)
    const messages = attempt.ok ? [] : attempt.error.problems.map(({ message }) => message)
    for (const told of messages) if (told.includes(CANARY)) throw new Error(`A value is quoted: ${told}`)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    for (const line of lines) if (/[\u0000-\u001f\u007f\u202e]/.test(line)) throw new Error('It steers a terminal')
    if (!attempt.ok && attempt.error.problems.length === 0) throw new Error('Refused without a reason')
  }),
}
