import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { filesTargetSchema } from '../../../src/targets/files/options.ts'
import { Page } from './markdown.ts'

const page = Page.read('docs/hooks.md')

test('docs/hooks.md: its example is accepted, and has an example of each phase and action', () => {
  const [yaml = ''] = page.blocks('yaml')
  const { hooks } = filesTargetSchema.parse({ root: '/m', ...(parse(yaml) as object) })
  expect(hooks.map(({ phase }) => phase)).toEqual(['BeforePublish', 'AfterPublish', 'AfterPublish'])
  expect(
    hooks.map(({ exec, http, signal }) => [exec, signal, http].findIndex((action) => action !== undefined)),
  ).toEqual([0, 1, 2])
})

test.each([
  [{ hooks: [{ name: 'a', phase: 'BeforePublish', signal: { process: 'x' } }] }, 'a signal cannot veto'],
  [{ hooks: [{ name: 'a', phase: 'AfterPublish' }] }, 'must hold exactly one of: exec, http, signal'],
  [
    { hooks: [{ name: 'a', phase: 'AfterPublish', http: { url: 'file:///etc/passwd' } }] },
    'must be an http:// or https:// address',
  ],
  [
    { hooks: Array.from({ length: 2 }, () => ({ name: 'a', phase: 'AfterPublish', exec: { command: ['x'] } })) },
    '"a" is the name of another hook',
  ],
])('filesTargetSchema refuses hooks that make no sense: %j', (written, message) => {
  const { error } = filesTargetSchema.safeParse({ root: '/m', ...written })
  expect(error?.issues.map((issue) => issue.message).join()).toContain(message)
})
