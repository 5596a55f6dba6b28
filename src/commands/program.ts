import { CommanderError, InvalidArgumentError, Option, Command as Parser } from 'commander'
import { ConfigError, formatProblem } from '../config-files/config-error.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { nearestName } from '../util/suggest.ts'
import type { Command, CommandContext } from './command-context.ts'
import { COMMANDS, type CommandDefinition, type CommandName } from './command-table.ts'
import { EXIT_CODES, exitCodeOf } from './exit-code.ts'
import { FLAGS, type FlagDefinition } from './flag-table.ts'
import type { OperatorFlags } from './operator-flags.ts'
import { unknownVariables } from './own-variables.ts'
import type { CheckFlags, CompactFlags, DiffFlags, InspectFlags, RunFlags, StatusFlags } from './run-flags.ts'

const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[]

/** What each command is told. */
interface FlagsOf extends Record<CommandName, unknown> {
  readonly run: RunFlags
  readonly check: CheckFlags
  readonly diff: DiffFlags
  readonly verify: InspectFlags
  readonly status: StatusFlags
  readonly compact: CompactFlags
  readonly operator: OperatorFlags
}

/** The commands, each loaded when it is called. */
export type Commands = { readonly [Name in CommandName]: () => Promise<Command<FlagsOf[Name]>> }

/**
 * Parses the arguments (without node and script), runs the command they name and resolves to the exit code.
 * Never rejects: what went wrong is written to stderr, one line a problem.
 */
export async function runProgram(
  args: readonly string[],
  commands: Commands,
  context: CommandContext,
): Promise<number> {
  let exitCode: number = EXIT_CODES.done
  const parser = buildParser(context)
  const add = <Name extends CommandName>(name: Name) => {
    const subcommand = addCommand(parser, name)
    subcommand.action(async () => {
      const flags = flagValues(subcommand, name, context) as FlagsOf[Name]
      exitCode = await (await commands[name]())(flags, context)
    })
  }
  for (const name of COMMAND_NAMES) add(name)
  try {
    await parser.parseAsync([...args], { from: 'user' })
  } catch (error) {
    exitCode = report(error, args, context)
  }
  return exitCode
}

const EXAMPLES = `Examples:
  etcd-mirror check --config-dir .                   is everything right?
  etcd-mirror run --config-dir . --log-format text   mirror, with a readable log
  etcd-mirror help run                               flags, examples and exit codes of a command`

function buildParser({ stdout, version }: CommandContext): Parser {
  return new Parser('etcd-mirror')
    .description('Mirrors etcd key prefixes into files, revision by revision.')
    .version(version)
    .addHelpText('after', `\n${EXAMPLES}`)
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: () => {} })
}

function addCommand(parser: Parser, name: CommandName): Parser {
  const { summary, description }: CommandDefinition = COMMANDS[name]
  const added = parser.command(name).summary(summary).description(description)
  for (const flag of flagsOf(name)) added.addOption(optionOf(flag))
  return added.addHelpText('after', `\n${helpTail(COMMANDS[name])}`)
}

function helpTail({ examples, exits }: CommandDefinition): string {
  const width = Math.max(...examples.map(({ command }) => command.length))
  const lines = examples.map(({ command, meaning }) => `  ${command.padEnd(width)}   ${meaning}`)
  const codes = exits.map(([code, meaning]) => `  ${code}   ${meaning}`)
  return ['Examples:', ...lines, ...(codes.length > 0 ? ['', 'Exit codes:', ...codes] : [])].join('\n')
}

function flagsOf(name: CommandName): FlagDefinition[] {
  return Object.values(FLAGS).filter(({ commands }) => commands.includes(name))
}

function optionOf({ usage, help, variables, fallback, fallbackText, choices, parse }: FlagDefinition): Option {
  const option = new Option(usage, variables.length > 0 ? `${help} [${variables.join(', ')}]` : help)
  if (fallback !== undefined && option.required) option.default(fallback, fallbackText)
  if (choices !== undefined) return option.choices(choices)
  if (parse === undefined || !option.required) return option
  return option.argParser((text: string) => {
    try {
      return parse(text)
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error))
    }
  })
}

/** Flag > variable > default; every flag that this command has, under the names of its type. */
function flagValues(parser: Parser, command: CommandName, { env }: CommandContext): Record<string, unknown> {
  const values: Record<string, unknown> = { warnings: unknownVariables(env) }
  for (const [name, flag] of Object.entries(FLAGS)) {
    if (!flag.commands.includes(command)) continue
    const isGiven = parser.getOptionValueSource(name) === 'cli'
    values[name] = isGiven ? parser.getOptionValue(name) : (fromVariable(flag, env) ?? flag.fallback)
  }
  const { timeout, shutdownGrace, ...rest } = values
  if (timeout !== undefined && !values.oneTime) {
    throw new EtcdMirrorError('Usage', '--timeout (ETCD_MIRROR_TIMEOUT) needs --one-time', false)
  }
  if (values.skipAfterHooks && !values.oneTime) {
    throw new EtcdMirrorError('Usage', '--skip-after-hooks (ETCD_MIRROR_SKIP_AFTER_HOOKS) needs --one-time', false)
  }
  if (command === 'operator') return { ...rest, shutdownGraceMs: shutdownGrace }
  return command === 'run' ? { ...rest, timeoutMs: timeout || undefined, shutdownGraceMs: shutdownGrace } : rest
}

function fromVariable({ variables, choices, parse }: FlagDefinition, env: CommandContext['env']): unknown {
  const name = variables.find((variable) => (env[variable] ?? '') !== '')
  const text = name === undefined ? undefined : env[name]
  if (text === undefined) return undefined
  if (choices !== undefined && !choices.includes(text)) throw variableFault(name, `it must be ${choices.join(', ')}`)
  try {
    return parse === undefined ? text : parse(text)
  } catch (error) {
    throw variableFault(name, messageOf(error))
  }
}

function variableFault(name: string | undefined, message: string): EtcdMirrorError {
  return new EtcdMirrorError('Usage', `environment variable ${name} is invalid: ${message}`, false)
}

function usageFault({ code, message }: CommanderError, [first, second]: readonly string[]): string {
  if (code === 'commander.help') {
    const wanted = first === 'help' && second !== undefined ? `unknown command '${second}'` : 'missing command'
    return `${wanted}: ${COMMAND_NAMES.slice(0, -1).join(', ')} or ${COMMAND_NAMES.at(-1)} (see --help)`
  }
  const line = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace('is invalid. it must', 'is invalid: it must')
  if (code !== 'commander.unknownOption') return line
  if (first?.startsWith('--')) return `${line} here: flags stand after the command`
  return unknownFlagWithValue(line, first) ?? line
}

/** The parser takes `--flag=value` for one word: it knows neither that name nor one that is near. */
function unknownFlagWithValue(line: string, command: string | undefined): string | undefined {
  const flag = /^unknown option '(--[^=']+)=/.exec(line)?.[1]
  if (flag === undefined) return undefined
  const known = flagsOf(command as CommandName).map(({ usage }) => usage.split(' ')[0] ?? '')
  if (known.includes(flag)) return `option '${flag}' takes no value`
  const near = nearestName(flag, known)
  return `unknown option '${flag}'${near === undefined ? '' : ` (Did you mean ${near}?)`}`
}

function report(error: unknown, args: readonly string[], { stderr, signal }: CommandContext): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_CODES.done
    stderr.write(`etcd-mirror: ${usageFault(error, args)}\n`)
    return EXIT_CODES.config
  }
  if (signal.aborted && error === signal.reason) {
    stderr.write(`etcd-mirror: interrupted\n`)
    return EXIT_CODES.failed
  }
  stderr.write(`${describe(error)}\n`)
  return exitCodeOf(error)
}

function describe(error: unknown): string {
  if (!(error instanceof EtcdMirrorError)) {
    // Nobody expected this one: its stack is what a bug report needs.
    return `etcd-mirror: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
  }
  // Lines of it begin with file:line:column, which terminals and editors turn into links.
  if (error instanceof ConfigError) {
    return [error.message, ...error.warnings.map((warning) => `warning: ${formatProblem(warning)}`)].join('\n')
  }
  return `etcd-mirror: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
