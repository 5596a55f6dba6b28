import type { RoundRecord } from '../record.ts'

/** Whatever stands beside the root is as it was. */
export function touchesNothingElse({ surroundings }: Pick<RoundRecord, 'surroundings'>): readonly string[] {
  const { before, after } = surroundings
  return [
    ...before
      .filter((line) => !after.includes(line))
      .map((line) => `beside the root, gone or changed: ${nameOf(line)}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `beside the root, new or changed: ${nameOf(line)}`),
  ]
}

function nameOf(line: string): string {
  return line.split(' ')[0] ?? line
}
