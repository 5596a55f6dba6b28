import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../../src/commands/command-table.ts'
import { FLAGS } from '../../../src/commands/flag-table.ts'

test('docs/cli.md says what the tables in the code say', async () => {
  const script = fileURLToPath(new URL('../../../scripts/generate-cli-doc.mjs', import.meta.url))
  await promisify(execFile)(process.execPath, [script, '--check'])
})

test('the examples of a command call it with flags that it has', () => {
  for (const [name, { examples }] of Object.entries(COMMANDS)) {
    const own = Object.values(FLAGS).filter(({ commands }) => (commands as readonly string[]).includes(name))
    const known = own.map(({ usage }) => usage.split(' ')[0])
    expect(examples.length, name).toBeGreaterThan(0)
    for (const { command } of examples) {
      const [, args = ''] = new RegExp(`etcd-mirror ${name}\\b([^|>]*)`).exec(command) ?? []
      expect(command, name).toContain(`etcd-mirror ${name}`)
      expect(known, command).toEqual(expect.arrayContaining(args.match(/--[a-z-]+/g) ?? []))
    }
  }
})
