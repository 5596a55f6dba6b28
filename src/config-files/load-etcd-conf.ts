import {
  type EtcdConf,
  type EtcdConfNote,
  type EtcdOptions,
  etcdConfSchema,
  resolveEtcdOptions,
} from '../etcd/options.ts'
import { didYouMean } from '../util/suggest.ts'
import type { ConfigProblem } from './config-error.ts'
import { credentialFaults } from './credential-files.ts'
import type { Findings } from './findings.ts'
import { locate, notFound } from './locate.ts'
import { readYamlFile, type YamlFile } from './yaml-file.ts'
import { formatPath, parseWithPlaces } from './zod-problems.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface LoadedEtcdConf {
  readonly options: EtcdOptions
  /** Where the options come from, for people. */
  readonly source: string
}

/**
 * Finds, reads and checks etcd.conf and what the seed's variables add to it. undefined = `findings` says why not.
 * Rejects only with the signal's reason.
 */
export async function loadEtcdConf(
  place: { readonly given: string | undefined; readonly configDir: string },
  env: Environment,
  findings: Findings,
  signal?: AbortSignal,
): Promise<LoadedEtcdConf | undefined> {
  const fromEnv = endpointsOf(env)
  const located = await locate({ ...place, fallback: 'etcd.conf' }, findings.sources)
  const { path } = located
  if (path === undefined && (place.given !== undefined || fromEnv === undefined)) {
    return void findings.problem(notFound(located, place.given, ADVICE))
  }
  const file = path === undefined ? undefined : await readYamlFile(path, '1.1', findings, signal)
  if (path !== undefined && file === undefined) return undefined
  const conf = file === undefined ? etcdConfSchema.parse({}) : parseConf(file, findings)
  if (conf === undefined) return undefined
  const options = await resolve({ conf: withEnvironment(conf, env, fromEnv), fromEnv, file }, findings, signal)
  const usesEnv = fromEnv !== undefined && !conf.endpoints?.length
  const source = [path, usesEnv ? `environment variable ${fromEnv.name}` : undefined].filter(
    (part) => part !== undefined,
  )
  return options && { options, source: source.join(' and ') }
}

const ADVICE = 'write it, name one with --etcd-config, or set ETCD_ENDPOINTS'

interface EnvEndpoints {
  readonly name: string
  readonly endpoints: readonly string[]
}

function endpointsOf(env: Environment): EnvEndpoints | undefined {
  for (const name of ['ETCD_ENDPOINTS', 'ETCDV3_ENDPOINTS']) {
    const parts = (env[name] ?? '').split(',').map((part) => part.trim())
    const endpoints = parts.filter((part) => part !== '')
    if (endpoints.length > 0) return { name, endpoints }
  }
  return undefined
}

function parseConf(file: YamlFile, findings: Findings): EtcdConf | undefined {
  // An empty file is the seed's way to say "all defaults".
  const data = file.data ?? {}
  const conf = parseWithPlaces(etcdConfSchema, file, data, findings)
  const known = Object.keys(etcdConfSchema.shape)
  for (const [key, value] of typeof data === 'object' && !Array.isArray(data) ? Object.entries(data) : []) {
    const warn = (message: string) =>
      findings.warning({ file: file.file, ...file.placeOfKey([key]), path: key, message })
    if (!known.includes(key)) warn(`unknown key${didYouMean(key, known)}`)
    else if (isLikelySeconds(key, value)) warn(`whole numbers are nanoseconds here, write "${value}s" for seconds`)
  }
  // A password under a key that does not exist must not be kept.
  findings.sources.keep(file.file, Object.fromEntries(Object.entries(data).filter(([key]) => known.includes(key))))
  return conf
}

/** A period below one millisecond is not meant: somebody thought of seconds or milliseconds. */
function isLikelySeconds(key: string, value: unknown): boolean {
  return key !== 'session-ttl' && typeof value === 'number' && value > 0 && value < 1e6
}

function withEnvironment(conf: EtcdConf, env: Environment, fromEnv: EnvEndpoints | undefined): EtcdConf {
  return {
    ...conf,
    endpoints: conf.endpoints?.length ? conf.endpoints : [...(fromEnv?.endpoints ?? [])],
    // The seed takes any text for yes, even "false".
    'expand-env-variables': conf['expand-env-variables'] || (env.ETCD_EXPAND_ENV_VARS ?? '') !== '',
  }
}

interface Sources {
  readonly conf: EtcdConf
  readonly fromEnv: EnvEndpoints | undefined
  readonly file: YamlFile | undefined
}

async function resolve(sources: Sources, findings: Findings, signal?: AbortSignal): Promise<EtcdOptions | undefined> {
  const { options, problems, warnings } = resolveEtcdOptions(sources.conf)
  for (const note of problems) findings.problem(placed(note, sources))
  for (const note of warnings) findings.warning(placed(note, sources))
  const faults = await credentialFaults(sources.conf, findings.sources, signal)
  for (const { key, message } of faults) findings.problem(placed({ path: [key], message }, sources))
  return faults.length === 0 ? options : undefined
}

function placed({ path, message }: EtcdConfNote, { file, fromEnv }: Sources): ConfigProblem {
  const listed = (file?.data as { endpoints?: readonly string[] } | null | undefined)?.endpoints?.length
  if (path[0] === 'endpoints' && !listed && fromEnv !== undefined) {
    const nth = typeof path[1] === 'number' ? `endpoint ${path[1] + 1} ` : ''
    return { file: fromEnv.name, path: '', message: `${nth}${message}` }
  }
  if (file === undefined) return { file: 'etcd.conf', path: formatPath(path), message }
  return { file: file.file, ...file.placeOf(path), path: formatPath(path), message }
}
