import { isDeepStrictEqual } from 'node:util'
import type { ConfigRecording } from '../config-files/config-sources.ts'
import { FileSystem } from '../targets/files/file-system.ts'
import { layoutOf } from '../targets/files/layout.ts'
import { writeJson } from '../targets/files/write-json.ts'
import { type ConfigAttempt, type LoadedConfig, type ReadConfigOptions, readConfig } from './load-config.ts'
import { targetRoot } from './target-options.ts'

/** A configuration that a process ran with, as it is kept below the root of each of its mirrors. */
export interface AcceptedConfig {
  /** ISO 8601. */
  readonly acceptedAt: string
  readonly recording: ConfigRecording
}

const SCHEMA = 1
const OTHERS_MAY_WRITE = 0o022

/** Below the directory that only the mirror's own user may enter. */
export function acceptedConfigPath(root: string): string {
  return `${layoutOf(root).meta}/accepted-config.json`
}

/** Replaces what is kept below a root that is ours, as one; the same recording is not written again. Throws Node's errors. */
export function writeAcceptedConfig(root: string, accepted: AcceptedConfig): void {
  if (isDeepStrictEqual(readAcceptedConfig(root)?.recording, accepted.recording)) return
  writeJson(new FileSystem(), acceptedConfigPath(root), { schema: SCHEMA, ...accepted }, { sync: true })
}

/** undefined = none that this version understands, or not surely ours. Never throws. */
export function readAcceptedConfig(root: string): AcceptedConfig | undefined {
  const files = new FileSystem()
  const path = acceptedConfigPath(root)
  try {
    const stats = files.lstat(path)
    const isOurs = stats?.uid === process.getuid?.() && ((stats?.mode ?? 0) & OTHERS_MAY_WRITE) === 0
    if (!isOurs || files.lstat(layoutOf(root).owner)?.isFile() !== true) return undefined
    return acceptedFromJson(JSON.parse(files.read(path)?.toString('utf8') ?? 'null'))
  } catch {
    return undefined
  }
}

/**
 * The newest configuration that was accepted by a process with the same flags, of those kept below the roots that the
 * broken one still names. undefined = none that can be used. Rejects only with the signal's reason.
 */
export async function lastAcceptedConfig(
  broken: ConfigAttempt,
  options: Omit<ReadConfigOptions, 'recording'>,
): Promise<{ readonly config: LoadedConfig; readonly path: string; readonly acceptedAt: string } | undefined> {
  const found = rootsNamedIn(broken.sources.texts).flatMap((root) => {
    const accepted = readAcceptedConfig(root)
    return accepted === undefined ? [] : [{ root, ...accepted }]
  })
  found.sort((a, b) => (a.acceptedAt < b.acceptedAt ? 1 : -1))
  for (const { root, recording, acceptedAt } of found) {
    const attempt = await readConfig({ ...options, recording })
    const isOfRoot = attempt.ok && attempt.config.process.mirrors.some(({ target }) => targetRoot(target) === root)
    if (isOfRoot) return { config: attempt.config, path: acceptedConfigPath(root), acceptedAt }
  }
  return undefined
}

const ROOT = /["']?\broot["']?\s*:\s*(?:"(\/[^"\n]+)"|'(\/[^'\n]+)'|(\/[^\s,}\]#]+))/g

/** Absolute paths that stand behind a `root:`. By text, because a broken file need not be YAML any more. */
function rootsNamedIn(texts: readonly string[]): string[] {
  const roots = texts.flatMap((text) => [...text.matchAll(ROOT)].map((match) => match[1] ?? match[2] ?? match[3] ?? ''))
  return [...new Set(roots.map((root) => root.replace(/\/+$/, '')).filter((root) => root !== ''))]
}

function acceptedFromJson(json: unknown): AcceptedConfig | undefined {
  if (!isRecord(json) || json.schema !== SCHEMA || typeof json.acceptedAt !== 'string') return undefined
  const { recording, acceptedAt } = json
  if (!isRecord(recording) || !isRecord(recording.files) || !Array.isArray(recording.directories)) return undefined
  const texts = Object.values(recording.files).concat(recording.directories)
  if (!texts.every((text) => typeof text === 'string')) return undefined
  return { acceptedAt, recording: recording as unknown as ConfigRecording }
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
