import type { CopyInspection } from '../assemble/inspect-copy.ts'
import { targetPlace } from '../config/target-options.ts'
import { commandChecks } from '../targets/validate/command-checks.ts'
import type { CommandContext } from './command-context.ts'
import { differenceLine, pathWidth } from './difference-line.ts'
import { EXIT_CODES } from './exit-code.ts'
import { inspectMirrors } from './inspect-mirrors.ts'
import { inspectionDocument } from './inspection-document.ts'
import { type Palette, paletteFor } from './palette.ts'
import type { DiffFlags } from './run-flags.ts'
import { valueDiff } from './value-diff.ts'

/**
 * `etcd-mirror diff`: what the next publish would change, by path and size; values only when asked. Resolves to 6 when
 * anything would. Writes nothing.
 */
export async function diff(flags: DiffFlags, context: CommandContext): Promise<number> {
  const { stdout, env } = context
  const palette = paletteFor(stdout, env)
  const documents: unknown[] = []
  let code: number = EXIT_CODES.done
  const options = { version: 'Head', keepBytes: flags.showValues, allowKinds: flags.allowKinds } as const
  for await (const inspection of inspectMirrors(flags, options, context)) {
    if (inspection.differences.length > 0) code = EXIT_CODES.different
    else if (inspection.guard.held && code === EXIT_CODES.done) code = EXIT_CODES.held
    if (flags.json) documents.push(inspectionDocument(inspection))
    else for (const line of report(inspection, flags, palette)) stdout.write(`${line}\n`)
  }
  if (flags.json) stdout.write(`${JSON.stringify({ mirrors: documents }, null, 2)}\n`)
  return code
}

function* report(inspection: CopyInspection, flags: DiffFlags, palette: Palette): Generator<string> {
  const { differences, guard, isSettled, keyErrors } = inspection
  yield heading(inspection, palette)
  yield* changes(inspection, flags, palette)
  if (guard.held?.code !== 'RenderFailed') yield `  ${summary(inspection)}`
  if (keyErrors.count > 0)
    yield palette.warn(`  ${keyErrors.count} keys have no place in the target and would not be published`)
  const unasked = checksNotRun(inspection)
  if (unasked.length > 0) yield palette.faint(`  not run here, and may refuse it: ${unasked.join(', ')}`)
  if (guard.held) yield palette.bad(`  held (${guard.held.code}): ${guard.held.message} (${guard.held.hint})`)
  if (!isSettled && differences.length > 0) {
    yield palette.warn('  The copy changed while it was compared: some of this may be published by now.')
  }
}

/** Programs and requests, which need a staged tree. */
function checksNotRun({ mirror, differences }: CopyInspection): readonly string[] {
  if (!('files' in mirror.target) || differences.length === 0) return []
  const { validate, hooks } = mirror.target.files
  const vetoing = hooks.filter(({ phase }) => phase === 'BeforePublish')
  return [...commandChecks(validate).map(({ name }) => name), ...vetoing.map(({ name }) => `the hook ${name}`)]
}

function heading({ mirror, copy, with: { revision } }: CopyInspection, { strong }: Palette): string {
  const published = copy === undefined ? 'nothing published' : `published revision ${copy.revision}`
  return `${strong(`mirror ${mirror.name}`)}  ${targetPlace(mirror.target)}: ${published}, etcd at ${revision}`
}

function* changes(
  { differences, mirror, tree }: CopyInspection,
  flags: DiffFlags,
  palette: Palette,
): Generator<string> {
  const width = pathWidth(differences)
  for (const difference of differences) {
    yield `  ${differenceLine(difference, width, palette)}`
    if (!flags.showValues || !('files' in mirror.target)) continue
    for (const line of valueDiff(difference, tree)) yield `    ${painted(line, palette)}`
  }
}

function painted(line: string, { good, bad, faint }: Palette): string {
  if (line.startsWith('+')) return good(line)
  if (line.startsWith('-')) return bad(line)
  return line.startsWith('@') ? faint(line) : line
}

function summary({ differences, totals }: CopyInspection): string {
  if (differences.length === 0) return `nothing would change: ${totals.keys} keys`
  const count = (...kinds: string[]) => differences.filter(({ kind }) => kinds.includes(kind)).length
  const changed = count('changed', 'mode', 'type', 'metadata')
  return `${count('added')} to add, ${changed} to change, ${count('removed')} to remove; then ${totals.keys} keys`
}
