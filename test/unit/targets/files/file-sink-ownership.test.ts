import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { apply, fileSink, options, publishedFiles, restore, tempDirectory } from './support.ts'

async function takenRoot(): Promise<string> {
  const root = tempDirectory()
  const sink = fileSink(root)
  await sink.open(options)
  await restore(sink, { a: '1' }, 10)
  await sink.close()
  return root
}

describe('file sink, open', () => {
  test('needs a snapshot in a root that is new, and makes it with its parents', async () => {
    const root = join(tempDirectory(), 'x', 'y')
    const opened = await fileSink(root).open(options)
    expect(opened).toEqual({
      position: undefined,
      published: undefined,
      keyErrors: { count: 0, examples: [] },
      totals: undefined,
      isSameConfig: false,
    })
    expect(JSON.parse(readFileSync(join(root, '.etcd-mirror', 'owner.json'), 'utf8'))).toEqual({
      mirror: 'app',
      prefixBase64: Buffer.from('/config/').toString('base64'),
      version: '1.0.0',
      layout: 'Snapshot',
    })
  })

  test('takes a fresh volume that holds nothing but lost+found', async () => {
    const root = tempDirectory()
    mkdirSync(join(root, 'lost+found'))
    const sink = fileSink(root)
    await sink.open(options)
    await restore(sink, { a: '1' }, 10)
    expect(publishedFiles(root)).toEqual({ a: '1' })
    expect(existsSync(join(root, 'lost+found'))).toBe(true)
  })

  test('refuses a directory of somebody else and writes nothing', async () => {
    const root = tempDirectory()
    writeFileSync(join(root, 'precious'), 'x')
    const failure = { code: 'TargetForeign', target: root, hint: expect.stringContaining('directory of its own') }
    await expect(fileSink(root).open(options)).rejects.toMatchObject(failure)
    expect(readdirSync(root)).toEqual(['precious'])
  })

  test('refuses a root that is a file or a symbolic link and writes nothing', async () => {
    const directory = tempDirectory()
    writeFileSync(join(directory, 'file'), 'x')
    mkdirSync(join(directory, 'real'))
    symlinkSync(join(directory, 'real'), join(directory, 'link'))
    for (const name of ['file', 'link']) {
      await expect(fileSink(join(directory, name)).open(options)).rejects.toMatchObject({ code: 'TargetForeign' })
    }
    expect(readdirSync(join(directory, 'real'))).toEqual([])
  })

  test('refuses a relative root', async () => {
    await expect(fileSink('relative/root').open(options)).rejects.toMatchObject({ code: 'TargetBroken' })
    expect(existsSync('relative')).toBe(false)
  })

  test("refuses another mirror's root and changes nothing", async () => {
    const root = await takenRoot()
    const owner = readFileSync(join(root, '.etcd-mirror', 'owner.json'), 'utf8')
    const other = fileSink(root, { mirrorName: 'other' })
    await expect(other.open(options)).rejects.toThrow(`Cannot take over ${root}: it belongs to the mirror "app"`)
    expect(readFileSync(join(root, '.etcd-mirror', 'owner.json'), 'utf8')).toBe(owner)
    expect(publishedFiles(root)).toEqual({ a: '1' })
  })

  test('refuses a root whose owner cannot be read', async () => {
    const root = await takenRoot()
    writeFileSync(join(root, '.etcd-mirror', 'owner.json'), '')
    await expect(fileSink(root).open(options)).rejects.toMatchObject({ code: 'TargetForeign' })
  })

  test('goes on where it was killed while it took a root', async () => {
    const root = tempDirectory()
    mkdirSync(join(root, '.etcd-mirror'))
    writeFileSync(join(root, '.etcd-mirror', 'owner.json.next'), '{"mir')
    expect(await fileSink(root).open(options)).toMatchObject({ published: undefined })
  })

  test('refuses a symbolic link where one of its directories is expected and never writes behind it', async () => {
    for (const name of ['.revisions', '.etcd-mirror', '.etcd-mirror/trees', '.etcd-mirror/work']) {
      const root = await takenRoot()
      const outside = tempDirectory()
      rmSync(join(root, name), { recursive: true })
      symlinkSync(outside, join(root, name))
      await expect(fileSink(root).open(options)).rejects.toMatchObject({ code: 'TargetBroken' })
      expect(readdirSync(outside)).toEqual([])
    }
  })

  test('resumes at its position, whatever the prefix was called in the owner file', async () => {
    const root = await takenRoot()
    const sink = fileSink(root)
    const opened = await sink.open(options)
    expect(opened.position).toMatchObject({ revision: 10, clusterId: 2n ** 63n })
    expect(await apply(sink, { b: '2' }, 11)).toMatchObject({ published: true })
    expect(publishedFiles(root)).toEqual({ a: '1', b: '2' })
  })

  test('keeps the position with its anchor over a restart', async () => {
    const root = await takenRoot()
    const sink = fileSink(root)
    const { position } = await sink.open(options)
    if (position === undefined) throw new Error('no position')
    const anchor = {
      key: Buffer.from([0xff, 0x00]),
      modRevision: 9,
      createRevision: 7,
      version: 3,
      valueHash: 'aGFzaA==',
    }
    await sink.advance({ ...position, revision: 15, raftTerm: 4, anchor }, options)
    await sink.close()
    const again = await fileSink(root).open(options)
    expect(again.position).toEqual({ ...position, revision: 15, raftTerm: 4, anchor })
    expect(again.published).toEqual({ revision: 10, epoch: 0 })
  })

  test('needs a snapshot after a change of configuration or a restart of the machine, but says what is published', async () => {
    const root = await takenRoot()
    for (const given of [{ configHash: 'other' }, { bootId: 'another boot' }, { bootId: undefined }]) {
      const sink = fileSink(root, given)
      expect(await sink.open(options)).toMatchObject({ position: undefined, published: { revision: 10, epoch: 0 } })
      await sink.close()
    }
  })

  test('needs a snapshot when the state is gone or cannot be read, but says what is published', async () => {
    const root = await takenRoot()
    const path = join(root, '.etcd-mirror', 'trees', '10.json')
    const state = JSON.parse(readFileSync(path, 'utf8'))
    const broken = [
      '',
      '{',
      'null',
      JSON.stringify({ ...state, schema: 2 }),
      JSON.stringify({ ...state, position: { ...state.position, revision: -1 } }),
      JSON.stringify({ ...state, position: { ...state.position, clusterId: 'x' } }),
      JSON.stringify({ ...state, position: { ...state.position, anchor: {} } }),
      JSON.stringify({ ...state, keyErrors: [[1]] }),
    ]
    for (const content of broken) {
      writeFileSync(path, content)
      const sink = fileSink(root)
      expect(await sink.open(options)).toMatchObject({ position: undefined, published: { revision: 10, epoch: 0 } })
      await sink.close()
    }
    rmSync(path)
    const sink = fileSink(root)
    expect(await sink.open(options)).toMatchObject({ position: undefined, published: { revision: 10, epoch: 0 } })
    expect(await restore(sink, { a: '1' }, 10)).toMatchObject({ published: false })
  })

  test('takes a link that leads elsewhere for no published copy, and publishes anew', async () => {
    const root = await takenRoot()
    const outside = tempDirectory()
    writeFileSync(join(outside, 'x'), 'x')
    rmSync(join(root, 'current'))
    symlinkSync(outside, join(root, 'current'))
    const sink = fileSink(root)
    expect(await sink.open(options)).toMatchObject({ position: undefined, published: undefined })
    await restore(sink, { b: '1' }, 11)
    expect(publishedFiles(root)).toEqual({ b: '1' })
    expect(readdirSync(outside)).toEqual(['x'])
  })

  test('may be closed twice, and before it was opened', async () => {
    const sink = fileSink(tempDirectory())
    await sink.close()
    await sink.open(options)
    await sink.close()
    await sink.close()
  })
})
