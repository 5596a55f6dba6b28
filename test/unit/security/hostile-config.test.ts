import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../../src/config/load-config.ts'
import { ConfigError } from '../../../src/config-files/config-error.ts'
import { quoteAttempt } from '../../../src/util/quote-attempt.ts'
import { makeTempDir } from '../../support/temp-dir.ts'

test.each([
  ['keys within keys', '? '.repeat(800), 'a key must be text'],
  ['a list as a key', '[a]: b', 'a key must be text'],
  ['lists within lists', '['.repeat(50_000), 'nested too deeply'],
  ['mappings within mappings', '{a: '.repeat(50_000), 'nested too deeply'],
  ['aliases of aliases', bomb(9), 'its aliases expand to far too much'],
  ['an object of another language', 'mirrors: !!js/function "x"', ''],
])('a configuration of %s is refused at once, with its reason', async (_what, text, reason) => {
  await using directory = await makeTempDir('hostile-config')
  await writeFile(join(directory.path, 'etcd.conf'), '')
  await writeFile(join(directory.path, 'mirror.yaml'), text)
  const flags = { config: undefined, etcdConfig: undefined, configDir: directory.path, httpBind: undefined }
  const attempt = await readConfig({ flags, env: {} })
  expect(attempt).toMatchObject({ ok: false, error: expect.any(ConfigError) })
  expect(attempt.ok ? '' : attempt.error.message).toContain(reason)
})

test('quoteAttempt repeats a mistyped number with units, and nothing that may be a secret', () => {
  for (const text of ['5x', '1.5Gi', '10 sec', '1h 30min', '-5 s', '1.2.3'])
    expect(quoteAttempt(text, 'is wrong: ')).toBe(`"${text}" is wrong: `)
  expect(quoteAttempt(5, 'is wrong: ')).toBe('5 is wrong: ')
  for (const text of ['hunter2', '7hunter2', 'p4ssw0rd!', 'YWJjZGVm', '5s\n', '1'.repeat(30)])
    expect(quoteAttempt(text, 'is wrong: ')).toBe('')
})

function bomb(levels: number): string {
  const lines = Array.from(
    { length: levels },
    (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level}, `.repeat(9)}]`,
  )
  return ['a0: &a0 [x, x]', ...lines].join('\n')
}
