import { styleText } from 'node:util'
import type { CommandContext, TextOutput } from './command-context.ts'

export type Paint = (text: string) => string

export interface Palette {
  readonly good: Paint
  readonly warn: Paint
  readonly bad: Paint
  readonly strong: Paint
  readonly faint: Paint
}

/** Colours for a terminal, and none for anything else or when `NO_COLOR` (https://no-color.org) is set. */
export function paletteFor(output: TextOutput, env: CommandContext['env']): Palette {
  const isColoured = output.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  const paint =
    (format: Parameters<typeof styleText>[0]): Paint =>
    (text) =>
      isColoured ? styleText(format, text, { validateStream: false }) : text
  return {
    good: paint('green'),
    warn: paint('yellow'),
    bad: paint('red'),
    strong: paint('bold'),
    faint: paint('dim'),
  }
}
