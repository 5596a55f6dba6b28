import { expect, test } from 'vitest'
import { ProgressBar } from '../../../src/commands/progress-bar.ts'
import { eventually } from '../../support/wait.ts'
import { mirrorStatus } from '../server/mirror-status-sample.ts'

const ERASED = '\r\u001b[2K'
const snapshotting = mirrorStatus({ phase: 'Snapshotting', snapshot: { read: 500, total: 1000 } })

function recorded(isTTY: boolean) {
  let text = ''
  return { isTTY, columns: 200, write: (more: string) => (text += more), text: () => text }
}

test('ProgressBar draws how far the snapshot is, lets the log through above it, and goes away', async () => {
  const output = recorded(true)
  {
    using bar = new ProgressBar(output, true)
    let status = snapshotting
    bar.follow(() => [mirrorStatus(), status])
    await eventually(() => expect(output.text()).toContain('500 of 1000 keys  app'))
    bar.write('a line\n')
    const bar50 = `[${'#'.repeat(15)}${'.'.repeat(15)}] 50 %  500 of 1000 keys  app`
    expect(output.text().endsWith(`${ERASED}a line\n${bar50}`)).toBe(true)
    status = mirrorStatus()
    bar.write('published\n')
    expect(output.text().endsWith(`${ERASED}published\n`)).toBe(true)
  }
})

test('ProgressBar that is disposed of takes its bar away', async () => {
  const output = recorded(true)
  {
    using bar = new ProgressBar(output, true)
    bar.follow(() => [snapshotting])
    await eventually(() => expect(output.text()).toContain('500 of 1000 keys  app'))
  }
  expect(output.text().endsWith(ERASED)).toBe(true)
})

test.each([
  ['no terminal', false, true],
  ['a log for machines', true, false],
])('ProgressBar writes the log alone with %s', async (_name, isTTY, isForPeople) => {
  const output = recorded(isTTY)
  {
    using bar = new ProgressBar(output, isForPeople)
    bar.follow(() => {
      throw new Error('nobody is to ask')
    })
    bar.write('a line\n')
  }
  expect(output.text()).toBe('a line\n')
})
