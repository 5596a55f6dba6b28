import { join } from 'node:path'
import type { Findings } from '../config-files/findings.ts'
import { locate, notFound } from '../config-files/locate.ts'
import { readFault } from '../config-files/read-fault.ts'
import { readYamlFile, type YamlFile, type YamlPath } from '../config-files/yaml-file.ts'
import { formatPath, parseWithPlaces } from '../config-files/zod-problems.ts'
import { BIND_FORMS, type HttpBind, httpSchema, parseHttpBind } from '../server/options.ts'
import { deepFreeze } from './deep-freeze.ts'
import { withTemplates } from './load-templates.ts'
import { toMirrorConfig } from './mirror-config.ts'
import { mirrorFileSchema, type ParsedMirror } from './mirror-file-schema.ts'
import type { ProcessConfig } from './process-config.ts'
import { rootOverlaps } from './root-overlap.ts'
import { targetRoot } from './target-options.ts'

/** One mirror and where it was written. */
interface PlacedMirror {
  readonly mirror: ParsedMirror
  readonly source: YamlFile
  readonly index: number
}

/**
 * Finds, reads and checks mirror.yaml, or every `*.yaml` of a directory. undefined = `findings` says why not.
 * Rejects only with the signal's reason.
 */
export async function loadMirrors(
  place: { readonly given: string | undefined; readonly configDir: string; readonly httpBind: string | undefined },
  findings: Findings,
  signal?: AbortSignal,
): Promise<ProcessConfig | undefined> {
  const before = findings.problems.length
  const found = await findFiles(place.given, place.configDir, findings)
  const { mirrors, bind } = await readFiles(found?.files ?? [], findings, signal)
  checkNames(mirrors, findings)
  await checkRoots(mirrors, findings)
  const flagBind = checkHttpBind(place.httpBind, findings)
  if (found === undefined || findings.problems.length > before) return undefined
  if (mirrors.length === 0) return void findings.problem({ file: found.origin, path: '', message: NO_MIRRORS })
  return deepFreeze({
    http: { bind: flagBind ?? bind ?? httpSchema.parse({}).bind },
    mirrors: mirrors.map(({ mirror }) => toMirrorConfig(mirror)),
    configFiles: found.files,
  })
}

const NO_MIRRORS = 'no mirrors: list at least one under "mirrors:"'

async function readFiles(
  files: readonly string[],
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<{ mirrors: PlacedMirror[]; bind: HttpBind | undefined }> {
  const mirrors: PlacedMirror[] = []
  let bind: HttpBind | undefined
  for (const file of files) {
    const source = await readYamlFile(file, '1.2', findings, signal)
    if (source === undefined) continue
    const parsed = parseWithPlaces(mirrorFileSchema, source, source.data ?? {}, findings)
    if (parsed === undefined) continue
    findings.sources.keep(file, source.data ?? {})
    if (parsed.http && bind) refuse(findings, source, ['http'], 'stands in more than one file')
    bind ??= parsed.http?.bind
    for (const [index, written] of (parsed.mirrors ?? []).entries()) {
      const mirror = await withTemplates(written, { source, index }, findings, signal)
      mirrors.push({ mirror, source, index })
    }
  }
  return { mirrors, bind }
}

const ADVICE = 'write it, or name a file or a directory with --config'

interface FoundFiles {
  /** What was named: the file or the directory. */
  readonly origin: string
  readonly files: readonly string[]
}

async function findFiles(
  given: string | undefined,
  configDir: string,
  findings: Findings,
): Promise<FoundFiles | undefined> {
  const located = await locate({ given, configDir, fallback: 'mirror.yaml' }, findings.sources)
  const { path, isDirectory } = located
  if (path === undefined) return void findings.problem(notFound(located, given, ADVICE))
  if (!isDirectory) return { origin: path, files: [path] }
  try {
    return { origin: path, files: yamlFilesOf(path, await findings.sources.list(path), findings) }
  } catch (error) {
    return void findings.problem({ file: path, path: '', message: readFault(error) })
  }
}

/** Names with a dot in front are skipped: Kubernetes keeps the real files of a mounted ConfigMap in `..data`. */
function yamlFilesOf(directory: string, names: readonly string[], findings: Findings): string[] {
  const visible = names.filter((name) => !name.startsWith('.')).sort()
  for (const name of visible.filter((each) => each.endsWith('.yml'))) {
    findings.warning({ file: join(directory, name), path: '', message: 'not read: only *.yaml files are' })
  }
  return visible.filter((name) => name.endsWith('.yaml')).map((name) => join(directory, name))
}

function checkNames(mirrors: readonly PlacedMirror[], findings: Findings): void {
  const seen = new Map<string, PlacedMirror>()
  for (const placed of mirrors) {
    const { name } = placed.mirror
    const first = seen.get(name)
    if (first === undefined) seen.set(name, placed)
    else {
      const { line } = first.source.placeOf(['mirrors', first.index, 'name'])
      const message = `"${name}" is already the name of the mirror at ${first.source.file}:${line}`
      refuse(findings, placed.source, ['mirrors', placed.index, 'name'], message)
    }
  }
}

async function checkRoots(mirrors: readonly PlacedMirror[], findings: Findings): Promise<void> {
  const withRoot = mirrors.flatMap((placed) => {
    const root = targetRoot(placed.mirror.target)
    return root === undefined ? [] : [{ placed, name: placed.mirror.name, root }]
  })
  for (const { index, message } of await rootOverlaps(withRoot)) {
    const placed = withRoot[index]?.placed
    if (placed) refuse(findings, placed.source, ['mirrors', placed.index, 'target', 'files', 'root'], message)
  }
}

function checkHttpBind(text: string | undefined, findings: Findings): HttpBind | undefined {
  const bind = text === undefined ? undefined : parseHttpBind(text)
  if (text !== undefined && bind === undefined) findings.problem({ file: '--http-bind', path: '', message: BIND_FORMS })
  return bind
}

function refuse(findings: Findings, source: YamlFile, path: YamlPath, message: string): void {
  findings.problem({ file: source.file, ...source.placeOf(path), path: formatPath(path), message })
}
