import { type AllowedKind, parseKind } from '../util/allowed-kind.ts'
import { DURATION_FORMS, formatDuration, MAX_TIMER_MS, parseDuration } from '../util/duration.ts'
import type { CommandName } from './command-table.ts'
import { LOG_FORMATS, LOG_LEVELS } from './run-flags.ts'

/** One flag of the process and the variables that stand for it. */
export interface FlagDefinition {
  /** As commander writes it: `--config <path>`. */
  readonly usage: string
  readonly help: string
  /** In the order in which they count; none for what is asked once and by a person. */
  readonly variables: readonly string[]
  readonly commands: readonly CommandName[]
  /** Shown and used when neither flag nor variable is given; not parsed. */
  readonly fallback?: unknown
  readonly fallbackText?: string
  readonly choices?: readonly string[]
  /** Turns the text into the value; throws an Error that says what is accepted. Default: the text itself. */
  readonly parse?: (text: string) => unknown
}

const CONFIGURED = ['run', 'check', 'diff', 'verify', 'status'] as const
const WITH_ETCD = [...CONFIGURED, 'compact'] as const
const INSPECTING = ['diff', 'verify', 'status'] as const
const SERVING = [...CONFIGURED, 'operator'] as const
const GRACE_MS = 10_000

/** Every flag, once: the command line, the variables and the documentation follow this table. */
export const FLAGS: Readonly<Record<string, FlagDefinition>> = {
  config: {
    usage: '--config <path>',
    help: 'mirror.yaml, or a directory of *.yaml',
    variables: ['ETCD_MIRROR_CONFIG'],
    commands: CONFIGURED,
  },
  etcdConfig: {
    usage: '--etcd-config <path>',
    help: 'etcd.conf',
    variables: ['ETCD_MIRROR_ETCD_CONFIG', 'ETCD_CONFIG'],
    commands: WITH_ETCD,
  },
  configDir: {
    usage: '--config-dir <path>',
    help: 'where mirror.yaml and etcd.conf are looked for',
    variables: ['ETCD_MIRROR_CONFIG_DIR', 'CONFIG_DIR'],
    commands: WITH_ETCD,
    fallback: '/etc/etcd-mirror',
  },
  httpBind: {
    usage: '--http-bind <address>',
    help: 'address of probes, metrics and status, over http.bind of mirror.yaml',
    variables: ['ETCD_MIRROR_HTTP_BIND'],
    commands: SERVING,
  },
  logLevel: {
    usage: '--log-level <level>',
    help: 'least important lines to log',
    variables: ['ETCD_MIRROR_LOG_LEVEL'],
    commands: SERVING,
    fallback: 'info',
    choices: LOG_LEVELS,
  },
  logFormat: {
    usage: '--log-format <format>',
    help: 'how lines are written',
    variables: ['ETCD_MIRROR_LOG_FORMAT'],
    commands: SERVING,
    fallback: 'json',
    choices: LOG_FORMATS,
  },
  oneTime: {
    usage: '--one-time',
    help: 'end after the first publish of every mirror',
    variables: ['ETCD_MIRROR_ONE_TIME'],
    commands: ['run'],
    fallback: false,
    parse: parseSwitch,
  },
  skipAfterHooks: {
    usage: '--skip-after-hooks',
    help: 'with --one-time: run no AfterPublish hooks; a later run tells them of the copy',
    variables: ['ETCD_MIRROR_SKIP_AFTER_HOOKS'],
    commands: ['run'],
    fallback: false,
    parse: parseSwitch,
  },
  dryRun: {
    usage: '--dry-run',
    help: 'say what the first publish would change, write nothing and end',
    variables: [],
    commands: ['run'],
    fallback: false,
  },
  timeout: {
    usage: '--timeout <duration>',
    help: 'with --one-time: give up after this long (default: never)',
    variables: ['ETCD_MIRROR_TIMEOUT'],
    commands: ['run'],
    parse: parsePeriod,
  },
  shutdownGrace: {
    usage: '--shutdown-grace <duration>',
    help: 'how long a drain may take after SIGTERM',
    variables: ['ETCD_MIRROR_SHUTDOWN_GRACE'],
    commands: ['run', 'operator'],
    fallback: GRACE_MS,
    fallbackText: formatDuration(GRACE_MS),
    parse: parsePeriod,
  },
  allowKinds: {
    usage: '--allow-kinds <kinds>',
    help: 'what the target objects may write, such as v1/ConfigMap,example.com/v1/Thing',
    variables: ['ETCD_MIRROR_ALLOW_KINDS'],
    commands: ['run', 'check', 'diff', 'operator'],
    fallback: [],
    fallbackText: 'nothing',
    parse: parseKinds,
  },
  mirror: {
    usage: '--mirror <name>',
    help: 'look at this mirror alone',
    variables: [],
    commands: INSPECTING,
  },
  json: {
    usage: '--json',
    help: 'print JSON instead of text',
    variables: [],
    commands: INSPECTING,
    fallback: false,
  },
  showValues: {
    usage: '--show-values',
    help: 'print what changes in each value, as a unified diff',
    variables: [],
    commands: ['diff'],
    fallback: false,
  },
  watch: {
    usage: '--watch',
    help: 'print again every two seconds until interrupted',
    variables: [],
    commands: ['status'],
    fallback: false,
  },
  namespaces: {
    usage: '--namespaces <names>',
    help: 'look at resources of these namespaces alone, separated by commas (default: all)',
    variables: ['ETCD_MIRROR_NAMESPACES'],
    commands: ['operator'],
    parse: parseNamespaces,
  },
  leaderElection: {
    usage: '--leader-election <switch>',
    help: 'of several operators one leads; false: there is only this one',
    variables: ['ETCD_MIRROR_LEADER_ELECTION'],
    commands: ['operator'],
    fallback: true,
    parse: parseSwitch,
  },
  concurrency: {
    usage: '--concurrency <number>',
    help: 'most resources of a kind that are reconciled at once',
    variables: ['ETCD_MIRROR_CONCURRENCY'],
    commands: ['operator'],
    fallback: 8,
    parse: parseConcurrency,
  },
  revision: {
    usage: '--revision <number>',
    help: 'give up the history before this revision (default: the current one)',
    variables: ['ETCD_MIRROR_REVISION'],
    commands: ['compact'],
    parse: parseRevision,
  },
}

function parsePeriod(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < 0 || ms > MAX_TIMER_MS) throw new Error(`it must be ${DURATION_FORMS}, at most 596h`)
  return Math.ceil(ms)
}

function parseKinds(text: string): readonly AllowedKind[] {
  return text.split(',').map((name) => {
    const kind = parseKind(name.trim())
    if (typeof kind === 'string') throw new Error(`${JSON.stringify(name.trim())} ${kind}`)
    return kind
  })
}

function parseSwitch(text: string): boolean {
  if (/^(true|1)$/i.test(text)) return true
  if (/^(false|0)$/i.test(text)) return false
  throw new Error('it must be true or false')
}

function parseNamespaces(text: string): readonly string[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))]
  if (names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) return names
  throw new Error('it must be names of namespaces, separated by commas')
}

function parseConcurrency(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= 1000) return number
  throw new Error('it must be a whole number from 1 to 1000')
}

function parseRevision(text: string): number {
  const revision = /^\d+$/.test(text) ? Number(text) : 0
  if (revision < 1 || !Number.isSafeInteger(revision))
    throw new Error('it must be a revision: a whole number from 1 on')
  return revision
}
