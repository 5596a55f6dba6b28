import type { CopyInspection } from '../assemble/inspect-copy.ts'
import { targetPlace } from '../config/target-options.ts'
import type { CommandContext } from './command-context.ts'
import { differenceLine, pathWidth } from './difference-line.ts'
import { EXIT_CODES } from './exit-code.ts'
import { inspectMirrors } from './inspect-mirrors.ts'
import { inspectionDocument } from './inspection-document.ts'
import { type Palette, paletteFor } from './palette.ts'
import type { InspectFlags } from './run-flags.ts'

/** More of them say no more. */
const MAX_LINES = 100

/**
 * `etcd-mirror verify`: whether each copy is what etcd held at its revision. Resolves to 6 when one is not, and to the
 * code of the first mirror that has another fault. Writes nothing.
 */
export async function verify(flags: InspectFlags, context: CommandContext): Promise<number> {
  const { stdout, env } = context
  const palette = paletteFor(stdout, env)
  const documents: unknown[] = []
  let code: number = EXIT_CODES.done
  for await (const inspection of inspectMirrors(flags, { version: 'Published', allowKinds: [] }, context)) {
    code = code === EXIT_CODES.done ? codeOf(inspection) : code
    if (flags.json) documents.push(inspectionDocument(inspection))
    else for (const line of report(inspection, palette)) stdout.write(`${line}\n`)
  }
  if (flags.json) stdout.write(`${JSON.stringify({ mirrors: documents }, null, 2)}\n`)
  return code
}

function codeOf({ copy, differences, guard, isSettled, with: { basis } }: CopyInspection): number {
  if (copy === undefined) return EXIT_CODES.target
  if (guard.held?.code === 'RenderFailed') return EXIT_CODES.held
  if (differences.length === 0) return basis === 'OtherStore' ? EXIT_CODES.different : EXIT_CODES.done
  return isSettled ? EXIT_CODES.different : EXIT_CODES.failed
}

function* report(inspection: CopyInspection, palette: Palette): Generator<string> {
  const { mirror, copy, differences, guard, isSettled } = inspection
  const subject = `mirror ${mirror.name}`
  if (copy === undefined) {
    yield `${palette.bad('error')}    ${subject}: nothing is published ${'files' in mirror.target ? 'below' : 'as'} ${targetPlace(mirror.target)}`
    return
  }
  yield* noteBasis(inspection, palette)
  if (guard.held?.code === 'RenderFailed') {
    yield `${palette.bad('error')}    ${subject}: ${guard.held.message} (${guard.held.hint})`
    return
  }
  yield verdict(inspection, palette)
  const width = pathWidth(differences)
  for (const difference of differences.slice(0, MAX_LINES))
    yield `           ${differenceLine(difference, width, palette)}`
  if (differences.length > MAX_LINES) yield `           … and ${differences.length - MAX_LINES} more`
  if (differences.length === 0) return
  yield isSettled
    ? '         A running mirror repairs this within verifyEvery, or at once on SIGHUP.'
    : '         The copy changed each time it was compared: this may be what was published meanwhile. Try again.'
}

function verdict({ mirror, copy, differences, keyErrors, totals, with: compared }: CopyInspection, palette: Palette) {
  const subject = `mirror ${mirror.name}`
  const published = `published revision ${copy?.revision}`
  if (differences.length > 0) {
    return `${palette.bad('error')}    ${subject}: ${differences.length} paths differ from etcd at revision ${compared.revision} (${published})`
  }
  const lacking = keyErrors.count > 0 ? `, ${keyErrors.count} of them without a path` : ''
  return `${palette.good('ok')}       ${subject}: ${totals.keys} keys${lacking} as in etcd at revision ${compared.revision} (${published})`
}

function* noteBasis({ mirror, copy, unjudged, with: compared }: CopyInspection, palette: Palette): Generator<string> {
  const warning = `${palette.warn('warning')}  mirror ${mirror.name}:`
  if (compared.basis === 'HeadAfterCompaction') {
    yield `${warning} etcd has compacted revision ${copy?.position?.revision}; compared with revision ${compared.revision}, where ${unjudged} paths changed since`
  } else if (compared.basis === 'OtherStore') {
    yield `${warning} this is not the store that the copy was made of; compared with what it holds now`
  } else if (compared.basis === 'Head') {
    yield `${warning} the copy does not say what it was made of; compared with what etcd holds now`
  }
}
