import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../../src/commands/command-table.ts'
import { type Commands, runProgram } from '../../../src/commands/program.ts'
import { ConfigError } from '../../../src/config-files/config-error.ts'
import { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Flags of the command that ran. */
  readonly flags: unknown
}

/** Runs the program with commands that only note their flags and end as told. */
async function runWith(
  args: string,
  env: Record<string, string> = {},
  end: () => number = () => 0,
  signal = new AbortController().signal,
): Promise<Outcome> {
  let flags: unknown
  let stdout = ''
  let stderr = ''
  const command = async (given: unknown) => {
    flags = given
    return end()
  }
  const commands = Object.fromEntries(
    Object.keys(COMMANDS).map((name) => [name, async () => command]),
  ) as unknown as Commands
  const code = await runProgram(args === '' ? [] : args.split(' '), commands, {
    signal,
    onHangup: () => {},
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env,
    version: '1.2.3',
  })
  return { code, stdout, stderr, flags }
}

const DEFAULTS = {
  config: undefined,
  etcdConfig: undefined,
  configDir: '/etc/etcd-mirror',
  httpBind: undefined,
  logLevel: 'info',
  logFormat: 'json',
  dryRun: false,
  oneTime: false,
  skipAfterHooks: false,
  timeoutMs: undefined,
  shutdownGraceMs: 10_000,
  allowKinds: [],
  warnings: [],
}

describe('runProgram flags', () => {
  test('run without flags has every default', async () => {
    expect(await runWith('run')).toEqual({ code: 0, stdout: '', stderr: '', flags: DEFAULTS })
  })

  test('check has no flags of run alone', async () => {
    const { dryRun, oneTime, skipAfterHooks, timeoutMs, shutdownGraceMs, ...shared } = DEFAULTS
    expect((await runWith('check')).flags).toEqual(shared)
  })

  test('every flag is taken over', async () => {
    const args =
      'run --config c --etcd-config e --config-dir d --http-bind :1 --log-level debug --log-format text --dry-run --one-time --skip-after-hooks --timeout 1m30s --shutdown-grace=0 --allow-kinds v1/ConfigMap,example.com/v1beta1/Thing'
    expect((await runWith(args)).flags).toEqual({
      config: 'c',
      etcdConfig: 'e',
      configDir: 'd',
      httpBind: ':1',
      logLevel: 'debug',
      logFormat: 'text',
      dryRun: true,
      oneTime: true,
      skipAfterHooks: true,
      timeoutMs: 90_000,
      shutdownGraceMs: 0,
      allowKinds: [
        { group: '', version: 'v1', kind: 'ConfigMap' },
        { group: 'example.com', version: 'v1beta1', kind: 'Thing' },
      ],
      warnings: [],
    })
  })

  const VARIABLES = {
    ETCD_MIRROR_CONFIG: 'c',
    ETCD_MIRROR_ETCD_CONFIG: 'e',
    ETCD_MIRROR_CONFIG_DIR: 'd',
    ETCD_MIRROR_HTTP_BIND: ':1',
    ETCD_MIRROR_LOG_LEVEL: 'warn',
    ETCD_MIRROR_LOG_FORMAT: 'text',
    ETCD_MIRROR_ONE_TIME: 'true',
    ETCD_MIRROR_SKIP_AFTER_HOOKS: 'true',
    ETCD_MIRROR_TIMEOUT: '2s',
    ETCD_MIRROR_SHUTDOWN_GRACE: '3s',
    ETCD_MIRROR_ALLOW_KINDS: 'v1/Secret',
    ETCD_CONFIG: 'seed-e',
    CONFIG_DIR: 'seed-d',
  }

  test('every flag has a variable, which goes before the default and before the names of the seed', async () => {
    expect((await runWith('run', VARIABLES)).flags).toEqual({
      config: 'c',
      etcdConfig: 'e',
      configDir: 'd',
      httpBind: ':1',
      logLevel: 'warn',
      logFormat: 'text',
      dryRun: false,
      oneTime: true,
      skipAfterHooks: true,
      timeoutMs: 2000,
      shutdownGraceMs: 3000,
      allowKinds: [{ group: '', version: 'v1', kind: 'Secret' }],
      warnings: [],
    })
  })

  test('the seed’s ETCD_CONFIG and CONFIG_DIR count', async () => {
    const { flags } = await runWith('run', { ETCD_CONFIG: 'e', CONFIG_DIR: 'd' })
    expect(flags).toMatchObject({ etcdConfig: 'e', configDir: 'd' })
  })

  test('compact takes a revision, and nothing of mirror.yaml', async () => {
    const where = { etcdConfig: undefined, configDir: '/etc/etcd-mirror', warnings: [] }
    expect((await runWith('compact')).flags).toEqual({ ...where, revision: undefined })
    expect((await runWith('compact --revision 7')).flags).toEqual({ ...where, revision: 7 })
    expect((await runWith('compact', { ETCD_MIRROR_REVISION: '8' })).flags).toEqual({ ...where, revision: 8 })
    expect((await runWith('compact --config x')).code).toBe(2)
  })

  test.each(['0', '-1', '1.5', '1e3', 'head', '9007199254740993'])('compact refuses revision %s', async (revision) => {
    const { code, stderr, flags } = await runWith(`compact --revision ${revision}`)
    expect([code, flags]).toEqual([2, undefined])
    expect(stderr).toMatch(/--revision <number>.*(it must be a revision|argument missing)/)
  })

  test('a flag goes before its variable, even when it says the default', async () => {
    const { flags } = await runWith('run --log-level info --config-dir /etc/etcd-mirror', VARIABLES)
    expect(flags).toMatchObject({ logLevel: 'info', configDir: '/etc/etcd-mirror', logFormat: 'text' })
  })

  test('an empty variable counts as not set; a timeout of 0 means never', async () => {
    const { flags } = await runWith('run --one-time --timeout 0', { ETCD_MIRROR_LOG_LEVEL: '', ETCD_CONFIG: '' })
    expect(flags).toMatchObject({ logLevel: 'info', etcdConfig: undefined, timeoutMs: undefined })
  })
})

describe('runProgram usage errors', () => {
  test.each([
    ['', {}, 'missing command: run, check, diff, verify, status, compact, operator or schema (see --help)'],
    ['rn', {}, "unknown command 'rn' (Did you mean run?)"],
    ['stats', {}, "unknown command 'stats' (Did you mean status?)"],
    ['diff --show-value', {}, "unknown option '--show-value' (Did you mean --show-values?)"],
    ['verify --show-values', {}, "unknown option '--show-values'"],
    ['run --confg x', {}, "unknown option '--confg' (Did you mean --config?)"],
    ['run --log-levl=debug', {}, "unknown option '--log-levl' (Did you mean --log-level?)\n"],
    ['run --nothing=7', {}, "unknown option '--nothing'\n"],
    ['run --one-time=true', {}, "option '--one-time' takes no value\n"],
    ['help rn', {}, "unknown command 'rn': run, check, "],
    ['-v', {}, "unknown option '-v'\n"],
    ['--config x run', {}, "unknown option '--config' here: flags stand after the command"],
    ['check --one-time', {}, "unknown option '--one-time'"],
    ['run x', {}, "too many arguments for 'run'. Expected 0 arguments but got 1: x."],
    ['run --config', {}, "option '--config <path>' argument missing"],
    [
      'run --one-time --timeout 5x',
      {},
      "option '--timeout <duration>' argument '5x' is invalid: it must be numbers with",
    ],
    [
      'run --allow-kinds v1/Pod',
      {},
      "option '--allow-kinds <kinds>' argument 'v1/Pod' is invalid. \"v1/Pod\" may never",
    ],
    ['run --shutdown-grace -5s', {}, "option '--shutdown-grace <duration>' argument '-5s' is invalid: it must"],
    ['run --timeout 5s', {}, '--timeout (ETCD_MIRROR_TIMEOUT) needs --one-time'],
    ['run --skip-after-hooks', {}, '--skip-after-hooks (ETCD_MIRROR_SKIP_AFTER_HOOKS) needs --one-time'],
    ['run --log-level loud', {}, "option '--log-level <level>' argument 'loud' is invalid. Allowed choices are debug,"],
    [
      'run',
      { ETCD_MIRROR_LOG_LEVEL: 'loud' },
      'environment variable ETCD_MIRROR_LOG_LEVEL is invalid: it must be debug,',
    ],
    [
      'run',
      { ETCD_MIRROR_ONE_TIME: 'maybe' },
      'environment variable ETCD_MIRROR_ONE_TIME is invalid: it must be true or',
    ],
    [
      'run',
      { ETCD_MIRROR_SHUTDOWN_GRACE: '5' },
      'environment variable ETCD_MIRROR_SHUTDOWN_GRACE is invalid: it must be',
    ],
  ])('%j with %j is one line and exit code 2', async (args, env, line) => {
    const { code, stdout, stderr, flags } = await runWith(args, env)
    expect([code, stdout, flags]).toEqual([2, '', undefined])
    expect(stderr.startsWith(`etcd-mirror: ${line}`)).toBe(true)
    expect(stderr.indexOf('\n')).toBe(stderr.length - 1)
  })

  test('--help and --version go to stdout and exit with 0', async () => {
    expect(await runWith('--version')).toMatchObject({ code: 0, stdout: '1.2.3\n', stderr: '' })
    const help = await runWith('run --help')
    expect([help.code, help.stderr]).toEqual([0, ''])
    expect(help.stdout).toContain('--shutdown-grace <duration>')
    expect(help.stdout).toContain('default: 10s')
  })

  test('--help shows every command and examples', async () => {
    const { stdout } = await runWith('--help')
    for (const name of Object.keys(COMMANDS)) expect(stdout).toMatch(new RegExp(`\\n  ${name} `))
    expect(stdout).toMatch(/\nExamples:\n {2}etcd-mirror check --config-dir \. /)
  })

  test.each(Object.entries(COMMANDS))('%s --help shows every example and exit code', async (name, definition) => {
    const { stdout } = await runWith(`${name} --help`)
    for (const { command, meaning } of definition.examples) {
      expect(stdout).toContain(command)
      expect(stdout).toContain(meaning)
    }
    for (const [code, meaning] of definition.exits) expect(stdout).toContain(`  ${code}   ${meaning}`)
  })
})

describe('runProgram variables', () => {
  test('a misspelt ETCD_MIRROR_* variable is a warning with a suggestion', async () => {
    const { code, flags } = await runWith('run', { ETCD_MIRROR_CONFG: 'x', ETCD_MIRROR_QQQQQQQQQQQ: '', OTHER: '' })
    expect(code).toBe(0)
    expect(flags).toMatchObject({
      warnings: [
        'environment variable ETCD_MIRROR_CONFG: unknown, did you mean "ETCD_MIRROR_CONFIG"?',
        'environment variable ETCD_MIRROR_QQQQQQQQQQQ: unknown',
      ],
    })
  })

  test('what Kubernetes sets for Services, and the rig’s own variables, are no warnings', async () => {
    const names = [
      'ETCD_MIRROR_SERVICE_HOST',
      'ETCD_MIRROR_SERVICE_PORT',
      'ETCD_MIRROR_SERVICE_PORT_HTTP',
      'ETCD_MIRROR_PORT',
      'ETCD_MIRROR_PORT_9379_TCP',
      'ETCD_MIRROR_PORT_9379_TCP_ADDR',
      'ETCD_MIRROR_OPERATOR_SERVICE_HOST',
      'ETCD_MIRROR_OPERATOR_PORT_443_TCP_PROTO',
      'ETCD_MIRROR_RIG_CACHE',
    ]
    const { flags } = await runWith('run', Object.fromEntries(names.map((name) => [name, 'x'])))
    expect(flags).toEqual(DEFAULTS)
  })
})

describe('runProgram exit codes', () => {
  const failing = (error: unknown) => () => {
    throw error
  }

  test.each([
    ['ConfigInvalid', 2],
    ['Usage', 2],
    ['AddressInUse', 2],
    ['Unavailable', 3],
    ['DeadlineExceeded', 3],
    ['NoLeader', 3],
    ['AuthenticationFailed', 4],
    ['PermissionDenied', 4],
    ['TlsRefused', 4],
    ['TargetNotWritable', 5],
    ['TargetBusy', 5],
    ['Compacted', 1],
    ['Internal', 1],
  ] as const)('an error %s ends with %i and one line', async (errorCode, code) => {
    const error = new EtcdMirrorError(errorCode, 'Cannot do it: no', false, { hint: 'do that' })
    const outcome = await runWith('run', {}, failing(error))
    expect(outcome.code).toBe(code)
    expect(outcome.stderr).toMatch(/^(etcd-mirror: )?Cannot do it: no \(do that\)\n$/)
  })

  test('a ConfigError tells the warnings too: a misspelt key may explain the problem', async () => {
    const place = { file: 'etcd.conf', line: 1, column: 1, path: 'endpoint' }
    const warnings = [{ ...place, message: 'unknown key, did you mean "endpoints"?' }]
    const error = new ConfigError(
      [{ file: 'etcd.conf', line: 2, column: 15, path: 'dial-timeout', message: 'bad' }],
      warnings,
    )
    expect((await runWith('check', {}, failing(error))).stderr).toBe(
      'etcd.conf:2:15: dial-timeout: bad\nwarning: etcd.conf:1:1: endpoint: unknown key, did you mean "endpoints"?\n',
    )
  })

  test('a ConfigError is one line a problem, each beginning with its place', async () => {
    const error = new ConfigError([
      { file: 'a.yaml', line: 1, column: 2, path: 'x', message: 'bad' },
      { file: 'b', path: '', message: 'worse' },
    ])
    expect(await runWith('check', {}, failing(error))).toMatchObject({
      code: 2,
      stderr: 'a.yaml:1:2: x: bad\nb: worse\n',
    })
  })

  test('an error nobody expected ends with 1 and its stack', async () => {
    const { code, stderr } = await runWith('run', {}, failing(new TypeError('oops')))
    expect(code).toBe(1)
    expect(stderr).toMatch(/^etcd-mirror: internal error: TypeError: oops\n +at /)
  })

  test('a command that rejects with the reason of the signal was interrupted', async () => {
    const reason = new Error('SIGTERM')
    const outcome = await runWith('run', {}, failing(reason), AbortSignal.abort(reason))
    expect(outcome).toMatchObject({ code: 1, stderr: 'etcd-mirror: interrupted\n' })
  })

  test('the exit code of a command is the exit code of the program', async () => {
    expect((await runWith('run', {}, () => 7)).code).toBe(7)
  })
})
