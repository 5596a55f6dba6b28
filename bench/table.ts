import type { Row } from './row.ts'

const HEAD = ['measure', 'value', 'range', 'peer', 'peer’s value', 'ratio', 'target', 'met']

/** The rows as a Markdown table whose columns line up in a terminal too. */
export function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  const print = (line: readonly string[]) => `| ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  const [head = HEAD, ...body] = lines
  return [print(head), rule, ...body.map(print)].join('\n')
}

function cells({ name, value, unit, range, peer, peerValue, peerRange, ratio, target, met, note }: Row): string[] {
  return [
    note === null ? name : `${name} (${note})`,
    `${value} ${unit}`,
    `${range[0]}–${range[1]}`,
    peer ?? '–',
    peerValue === null || peerRange === null ? '–' : `${peerValue} (${peerRange[0]}–${peerRange[1]})`,
    ratio === null ? '–' : String(ratio),
    target ?? '–',
    met === null ? '–' : met ? 'yes' : '**no**',
  ]
}
