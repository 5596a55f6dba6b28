import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

async function main(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, stdout, stderr }
}

test('main schema prints the JSON schema of mirror.yaml from source', async () => {
  const { code, stdout, stderr } = await main('schema')
  expect([code, stderr]).toEqual([0, ''])
  expect(JSON.parse(stdout)).toMatchObject({ type: 'object', additionalProperties: false })
})

test('main --version prints the version of package.json from source', async () => {
  const { default: manifest } = await import('../../../package.json', { with: { type: 'json' } })
  expect(await main('--version')).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
})

test('main ends with 2 and one line for an unknown flag', async () => {
  const { code, stdout, stderr } = await main('schema', '--nope')
  expect([code, stdout, stderr]).toEqual([2, '', "etcd-mirror: unknown option '--nope'\n"])
})
