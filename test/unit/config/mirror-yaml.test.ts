import { mkdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { ConfigDir, loadMirror, mirrorFaults, ONE_MIRROR } from './config-dir.ts'

const MIB = 2 ** 20

/** A mirror.yaml of one mirror with these lines in place of its own or beside them. */
function oneMirror(lines: { mirror?: string; files?: string }): string {
  const { mirror = 'prefix: /a/', files = 'root: /m' } = lines
  return `mirrors:\n  - name: app\n    ${mirror}\n    target:\n      files:\n        ${files}\n`
}

describe('mirror.yaml values', () => {
  test('the five lines of the first example are enough', async () => {
    const { process, warnings } = await loadMirror(ONE_MIRROR)
    expect(process.http).toEqual({ bind: { host: '', port: 9379 } })
    expect(process.configFiles).toHaveLength(1)
    expect(warnings).toEqual([])
    expect(process.mirrors).toEqual([
      {
        name: 'app',
        prefix: Buffer.from('/config/app/'),
        maxStalenessMs: 0,
        verifyEveryMs: 3_600_000,
        keys: { include: ['**'], exclude: [], leased: 'Mirror' },
        limits: { maxKeys: 250_000, maxBytes: 256 * MIB, maxValueBytes: 8 * MIB },
        safety: { refuseEmpty: true, maxDeletePercent: 50, allowDeleteUpTo: 0 },
        target: {
          files: {
            root: '/mirror/app',
            layout: 'Snapshot',
            readerGraceMs: 1000,
            mode: 0o644,
            directoryMode: 0o755,
            startup: { seedFrom: '', seedAfterMs: 30_000 },
            render: [{ tree: {} }],
            modes: [],
            rewrite: [],
            validate: [],
            hooks: [],
          },
        },
        configHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ])
    expect([process, process.mirrors, process.mirrors[0]?.target, process.http.bind].every(Object.isFrozen)).toBe(true)
  })

  test('every field is taken over', async () => {
    const { process } = await loadMirror(`
http: { bind: "127.0.0.1:0" }
mirrors:
  - name: a-1
    prefix: /café
    rawPrefix: true
    maxStaleness: 30s
    verifyEvery: 0
    keys: { include: ["a/**", b], exclude: ["**/*.tmp"], leased: Skip }
    limits: { maxKeys: 7, maxBytes: 1Gi, maxValueBytes: 1500 }
    safety: { refuseEmpty: false, maxDeletePercent: 100, allowDeleteUpTo: 9007199254740991 }
    target:
      files:
        root: /m/./x/../a/
        layout: Snapshot
        readerGrace: 1.5s
        mode: "0440"
        directoryMode: "0750"
        startup: { seedFrom: /seed, seedAfter: 1m }
        render: [{ tree: {} }]
`)
    expect(process.http.bind).toEqual({ host: '127.0.0.1', port: 0 })
    expect(process.mirrors[0]).toMatchObject({
      name: 'a-1',
      prefix: Buffer.from('/café', 'utf8'),
      maxStalenessMs: 30_000,
      verifyEveryMs: 0,
      keys: { include: ['a/**', 'b'], exclude: ['**/*.tmp'], leased: 'Skip' },
      limits: { maxKeys: 7, maxBytes: 1024 * MIB, maxValueBytes: 1500 },
      safety: { refuseEmpty: false, maxDeletePercent: 100, allowDeleteUpTo: Number.MAX_SAFE_INTEGER },
      target: {
        files: {
          root: '/m/a',
          readerGraceMs: 1500,
          mode: 0o440,
          directoryMode: 0o750,
          startup: { seedFrom: '/seed', seedAfterMs: 60_000 },
        },
      },
    })
  })

  test('rawPrefix with an empty prefix is the whole store', async () => {
    const { process } = await loadMirror(oneMirror({ mirror: 'prefix: ""\n    rawPrefix: true' }))
    expect(process.mirrors[0]?.prefix).toHaveLength(0)
  })

  test('anchors and aliases may be used, and faults behind them have a place', async () => {
    const yaml = `mirrors:
  - { name: a, prefix: /a/, target: { files: { root: /m/a, mode: &mode "0600" } } }
  - { name: b, prefix: /b/, target: { files: { root: /m/b, mode: *mode } } }
`
    expect((await loadMirror(yaml)).process.mirrors[1]?.target).toMatchObject({ files: { mode: 0o600 } })
    expect(await mirrorFaults(yaml.replace('"0600"', '"9"'))).toEqual([
      expect.stringContaining('mirror.yaml:2:72: mirrors[0].target.files.mode: must be an octal mode'),
      expect.stringContaining('mirror.yaml:3:66: mirrors[1].target.files.mode: must be an octal mode'),
    ])
  })

  test('a fault inside an alias is told with the place of its anchor', async () => {
    const yaml = `mirrors:
  - { name: a, prefix: /a/, target: &t { files: { root: /m, mode: "9" } } }
  - { name: b, prefix: /b/, target: *t }
`
    expect(await mirrorFaults(yaml)).toEqual([
      expect.stringContaining('mirror.yaml:2:67: mirrors[0].target.files.mode: must be'),
      expect.stringContaining('mirror.yaml:2:67: mirrors[1].target.files.mode: must be'),
    ])
  })

  test('configHash changes with what the tree is made of, and with nothing else', async () => {
    const hashOf = async (yaml: string) => (await loadMirror(yaml)).process.mirrors[0]?.configHash
    const base = await hashOf(oneMirror({}))
    const same = [
      oneMirror({ files: 'mode: "0600"\n        root: /elsewhere\n        readerGrace: 5s' }),
      oneMirror({ files: 'layout: Snapshot\n        root: /m\n        render: [{ tree: {} }]' }),
      oneMirror({ mirror: 'prefix: "/a/"\n    verifyEvery: 5m' }).replace('name: app', 'name: other'),
      oneMirror({ mirror: 'prefix: /a/\n    limits: { maxKeys: 1 }\n    safety: { allowDeleteUpTo: 1 }' }),
      oneMirror({ files: 'root: /m\n        startup: { seedFrom: /seed }' }),
    ]
    for (const yaml of same) expect(await hashOf(yaml)).toBe(base)
    const others = ['prefix: /b/', 'prefix: /a/\n    keys: { exclude: [x] }', 'prefix: /a/\n    keys: { leased: Skip }']
    for (const mirror of others) expect(await hashOf(oneMirror({ mirror }))).not.toBe(base)
  })
})

describe('mirror.yaml faults', () => {
  test.each([
    ['', ['mirror.yaml: no mirrors: list at least one under "mirrors:"']],
    ['# nothing\n', ['mirror.yaml: no mirrors: list at least one under "mirrors:"']],
    ['mirrors: []', ['mirror.yaml: no mirrors: list at least one under "mirrors:"']],
    ['mirrors:', ['mirror.yaml:1:9: mirrors: has no value: it must be a list']],
    ['mirors: []', ['mirror.yaml:1:1: mirors: unknown key, did you mean "mirrors"?']],
    ['hello', ['mirror.yaml:1:1: must be a mapping (key: value)']],
    ['http: { bind: 9379 }', ['mirror.yaml:1:15: http.bind: must be text: put it in quotes']],
    ['http: { bind: "localhost" }', [expect.stringMatching(/^mirror.yaml:1:15: http.bind: must be \[host\]:port/)]],
    ['http: { port: 1 }', ['mirror.yaml:1:9: http.port: unknown key']],
    [
      'mirrors:\n  - {}',
      [
        'mirror.yaml:2:5: mirrors[0].name: is missing: it must be text',
        'mirror.yaml:2:5: mirrors[0].prefix: is missing: it must be text',
        'mirror.yaml:2:5: mirrors[0].target: is missing: it must be a mapping (key: value)',
      ],
    ],
    [
      ONE_MIRROR.replace('files:', 'filez:'),
      ['mirror.yaml:4:15: mirrors[0].target.filez: unknown key, did you mean "files"?'],
    ],
    [ONE_MIRROR.replace('files:', 'pods:'), ['mirror.yaml:4:15: mirrors[0].target.pods: unknown key']],
    [
      ONE_MIRROR.replace('{ files: { root: /mirror/app } }', '{}'),
      ['mirror.yaml:4:13: mirrors[0].target: must hold exactly one of: files, configMap, secret, etcdKeys, objects'],
    ],
    [
      `${ONE_MIRROR}    hooks: []\n`,
      ['mirror.yaml:5:5: mirrors[0].hooks: unknown key, it belongs to mirrors[].target.files'],
    ],
    [
      `${ONE_MIRROR}    keys: { rewrite: [] }\n`,
      ['mirror.yaml:5:13: mirrors[0].keys.rewrite: unknown key, it belongs to mirrors[].target.files'],
    ],
    [
      `${ONE_MIRROR}    limits: { maxKeys: 0, maxBytes: 1.5Gi, maxValueBytes: 0 }\n`,
      [
        expect.stringMatching(/^mirror.yaml:5:24: mirrors\[0\].limits.maxKeys: must be at least 1$/),
        expect.stringMatching(
          /^mirror.yaml:5:37: mirrors\[0\].limits.maxBytes: "1.5Gi" is not a size: must be a whole/,
        ),
        expect.stringMatching(/^mirror.yaml:5:59: mirrors\[0\].limits.maxValueBytes: 0 is not a size/),
      ],
    ],
    [
      `${ONE_MIRROR}    keys: { include: [], exclude: [""], leased: skip }\n`,
      [
        'mirror.yaml:5:22: mirrors[0].keys.include: must not be empty',
        'mirror.yaml:5:36: mirrors[0].keys.exclude[0]: must not be empty',
        expect.stringMatching(/^mirror.yaml:5:49: mirrors\[0\].keys.leased: must be .*did you mean "Skip"/),
      ],
    ],
    [
      `${ONE_MIRROR}    safety: { refuseEmpty: 1, maxDeletePercent: 101, allowDeleteUpTo: -1 }\n`,
      [
        'mirror.yaml:5:28: mirrors[0].safety.refuseEmpty: must be true or false',
        expect.stringMatching(/^mirror.yaml:5:49: mirrors\[0\].safety.maxDeletePercent: must be at most 100$/),
        expect.stringMatching(/^mirror.yaml:5:71: mirrors\[0\].safety.allowDeleteUpTo: must be at least 0$/),
      ],
    ],
    [
      oneMirror({ files: 'root: /m\n        startup: { seedFrom: seed }' }),
      ['mirror.yaml:7:30: mirrors[0].target.files.startup.seedFrom: must be an absolute path'],
    ],
    [ONE_MIRROR.replace('name:', 'nam:'), ['mirror.yaml:2:5: mirrors[0].nam: unknown key, did you mean "name"?']],
    [
      ONE_MIRROR.replace('app\n', 'App_1\n'),
      [expect.stringMatching(/^mirror.yaml:2:11: mirrors\[0\].name: must be a DNS label/)],
    ],
    [
      ONE_MIRROR.replace('app\n', `${'a'.repeat(64)}\n`),
      ['mirror.yaml:2:11: mirrors[0].name: must not be longer than 63 characters'],
    ],
    [ONE_MIRROR.replace('app\n', '12\n'), ['mirror.yaml:2:11: mirrors[0].name: must be text: put it in quotes']],
    [
      oneMirror({ mirror: 'prefix: /a' }),
      [
        'mirror.yaml:3:13: mirrors[0].prefix: must end in "/" (or set rawPrefix: true to take it as a plain string prefix)',
      ],
    ],
    [
      oneMirror({ mirror: 'prefix: ""' }),
      [
        'mirror.yaml:3:13: mirrors[0].prefix: must not be empty (rawPrefix: true with an empty prefix mirrors the whole store)',
      ],
    ],
    [
      oneMirror({ mirror: 'prefix: "/\\ud800/"' }),
      ['mirror.yaml:3:13: mirrors[0].prefix: must be text that UTF-8 can hold'],
    ],
    [
      oneMirror({ mirror: 'prefix: /a/\n    rawPrefix: "yes"' }),
      ['mirror.yaml:4:16: mirrors[0].rawPrefix: must be true or false'],
    ],
    [
      oneMirror({ mirror: 'prefix: /a/\n    verifyEvery: 5x' }),
      [
        expect.stringMatching(
          /^mirror.yaml:4:18: mirrors\[0\].verifyEvery: "5x" is not a duration: it must be 0 or numbers with a unit/,
        ),
      ],
    ],
    [
      oneMirror({ mirror: 'prefix: /a/\n    maxStaleness: 5' }),
      [expect.stringMatching(/^mirror.yaml:4:19: mirrors\[0\].maxStaleness: 5 is not a duration/)],
    ],
    [
      oneMirror({ mirror: 'prefix: /a/\n    maxStaleness: -5s' }),
      ['mirror.yaml:4:19: mirrors[0].maxStaleness: must not be negative'],
    ],
    [
      oneMirror({ mirror: 'prefix: /a/\n    maxStaleness: 5ms' }),
      ['mirror.yaml:4:19: mirrors[0].maxStaleness: must be 0 or at least 100ms'],
    ],
    [
      oneMirror({ mirror: 'prefix: /a/\n    verifyEvery: 1000h' }),
      ['mirror.yaml:4:18: mirrors[0].verifyEvery: must be at most 596h'],
    ],
    [
      oneMirror({ mirror: 'prefix: /a/\n    verifyEvery:' }),
      [expect.stringMatching(/^mirror.yaml:4:17: mirrors\[0\].verifyEvery: must be 0 or numbers/)],
    ],
    [oneMirror({ files: 'root: m' }), ['mirror.yaml:6:15: mirrors[0].target.files.root: must be an absolute path']],
    [oneMirror({ files: 'root: /m/..' }), ['mirror.yaml:6:15: mirrors[0].target.files.root: must not be "/"']],
    [
      oneMirror({ files: 'root: "/m\\0"' }),
      ['mirror.yaml:6:15: mirrors[0].target.files.root: must not hold a NUL byte'],
    ],
    [
      oneMirror({ files: 'root: /m\n        layout: snapshot' }),
      ['mirror.yaml:7:17: mirrors[0].target.files.layout: must be Snapshot or InPlace, did you mean "Snapshot"?'],
    ],
    [
      oneMirror({ files: 'root: /m\n        mode: 0644' }),
      ['mirror.yaml:7:15: mirrors[0].target.files.mode: must be text: put it in quotes'],
    ],
    [
      oneMirror({ files: 'root: /m\n        mode: "0044"' }),
      ['mirror.yaml:7:15: mirrors[0].target.files.mode: must let the owner read (0400)'],
    ],
    [
      oneMirror({ files: 'root: /m\n        directoryMode: "0644"' }),
      ['mirror.yaml:7:24: mirrors[0].target.files.directoryMode: must let the owner read, write and enter (0700)'],
    ],
    [
      oneMirror({ files: 'root: /m\n        render: []' }),
      ['mirror.yaml:7:17: mirrors[0].target.files.render: must not be empty: leave it out for the tree alone'],
    ],
    [
      oneMirror({ files: 'root: /m\n        render: [{}]' }),
      ['mirror.yaml:7:18: mirrors[0].target.files.render[0]: must hold exactly one of: tree, document, template'],
    ],
    [
      oneMirror({ files: 'root: /m\n        render: [{ documents: {} }]' }),
      ['mirror.yaml:7:20: mirrors[0].target.files.render[0].documents: unknown key, did you mean "document"?'],
    ],
    [
      oneMirror({ files: 'root: /m\n        render: [{ document: { file: ../x, syntax: Json } }]' }),
      ['mirror.yaml:7:38: mirrors[0].target.files.render[0].document.file: must hold no empty name, "." or ".."'],
    ],
    [
      oneMirror({
        files:
          'root: /m\n        render: [{ document: { file: a, syntax: Json } }, { document: { file: a/b, syntax: Env } }]',
      }),
      ['mirror.yaml:7:59: mirrors[0].target.files.render[1]: "a/b" cannot stand beside the file "a"'],
    ],
    [
      oneMirror({
        files:
          'root: /m\n        render: [{ document: { file: a, syntax: Json } }, { document: { file: a, syntax: Env } }]',
      }),
      ['mirror.yaml:7:59: mirrors[0].target.files.render[1]: "a" is already written by another item'],
    ],
    [
      oneMirror({ files: 'root: /m\n        render: [{ tree: {} }, { tree: {} }]' }),
      ['mirror.yaml:7:32: mirrors[0].target.files.render[1]: the tree stands in the list twice'],
    ],
  ])('%j is refused with its place', async (yaml, lines) => {
    expect(await mirrorFaults(yaml)).toEqual(lines)
  })

  test('two mirrors of one name are refused, naming the first one', async () => {
    const yaml = `${ONE_MIRROR}${ONE_MIRROR.replace('mirrors:\n', '').replace('/mirror/app', '/b')}`
    const [fault, ...rest] = await mirrorFaults(yaml)
    expect(fault).toBe('mirror.yaml:5:11: mirrors[1].name: "app" is already the name of the mirror at mirror.yaml:2')
    expect(rest).toEqual([])
  })

  test.each([
    ['/mirror/app', 'is also the root of'],
    ['/mirror//x/../app/', 'is also the root of'],
    ['/mirror/app/sub', 'lies inside the root of'],
    ['/mirror', 'holds the root of'],
  ])('a second root %j is refused, naming both mirrors', async (root, relation) => {
    const second = ONE_MIRROR.replace('mirrors:\n', '').replace('name: app', 'name: b').replace('/mirror/app', root)
    const faults = await mirrorFaults(ONE_MIRROR + second)
    expect(faults).toEqual([
      expect.stringMatching(
        /^mirror.yaml:7:30: mirrors\[1\].target.files.root: the root of mirror "b" .* of mirror "app" /,
      ),
    ])
    expect(faults[0]).toContain(`${relation} the root of`.replace(' the root of the root of', ' the root of'))
  })

  test('roots that only begin alike are fine', async () => {
    const second = ONE_MIRROR.replace('mirrors:\n', '')
      .replace('name: app', 'name: b')
      .replace('/mirror/app', '/mirror/app2')
    expect((await loadMirror(ONE_MIRROR + second)).process.mirrors).toHaveLength(2)
  })

  test('roots that are one directory through a symbolic link are refused', async () => {
    await using directory = await ConfigDir.create({ 'etcd.conf': '' })
    await mkdir(directory.file('real'))
    await directory.link('link', 'real')
    const mirror = (name: string, root: string) =>
      `  - { name: ${name}, prefix: /a/, target: { files: { root: ${directory.file(root)} } } }\n`
    await directory.write('mirror.yaml', `mirrors:\n${mirror('a', 'real/x')}${mirror('b', 'link/x/y')}`)
    expect(await directory.faults()).toEqual([
      'mirror.yaml:3:54: mirrors[1].target.files.root: the root of mirror "b" (link/x/y) lies inside the root of mirror "a" (real/x)',
    ])
  })
})

describe('YAML faults', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x,x]',
    ...['b', 'c', 'd'].map((name, i) => `${name}: &${name} [${Array(10).fill(`*${'abc'[i]}`).join(',')}]`),
  ].join('\n')

  test.each([
    ['mirrors: []\nmirrors: []', 'mirror.yaml:2:1: this key stands here a second time'],
    ['a: 1\n---\nb: 1', 'mirror.yaml:2:1: a second YAML document begins here: only one is allowed'],
    ['mirrors:\n\t- name: a', 'mirror.yaml:2:1: a tab indents this line: use spaces'],
    ['mirrors: [', 'mirror.yaml:1:11: not valid YAML: Flow sequence in block collection must be'],
    ['mirrors: !foo []', 'mirror.yaml:1:10: not valid YAML: Unresolved tag'],
    ['mirrors: *x', 'mirror.yaml: not usable YAML: an alias (*name) has no anchor before it'],
    [bomb, 'mirror.yaml: not usable YAML: its aliases expand to far too much'],
    ['['.repeat(20_000), 'mirror.yaml:1:'],
    ['x'.repeat(5_000_000), 'mirror.yaml: is larger than 4 MiB'],
  ])('%.40j is one clear line', async (yaml, line) => {
    const faults = await mirrorFaults(yaml)
    expect(faults).toHaveLength(1)
    expect(faults[0]?.slice(0, line.length)).toBe(line)
  })

  test('bytes that are not UTF-8 are refused', async () => {
    await using directory = await ConfigDir.create({ 'etcd.conf': '', 'mirror.yaml': new Uint8Array([0xff, 0x00]) })
    expect(await directory.faults()).toEqual(['mirror.yaml: is not UTF-8 text'])
  })
})

describe('--config', () => {
  test('a directory is read file by file in order; dotfiles, ..data and other files are left alone', async () => {
    const mirror = (name: string) => ONE_MIRROR.replace('app\n', `${name}\n`).replace('/mirror/app', `/mirror/${name}`)
    await using directory = await ConfigDir.create({
      'etcd.conf': '',
      'd/b.yaml': mirror('b'),
      'd/..2026_01/a.yaml': mirror('a'),
      'd/.hidden.yaml': 'nonsense: 1',
      'd/c.yml': 'nonsense: 1',
      'd/e.yaml': '',
      'd/http.yaml': 'http: { bind: ":1" }',
      'd/notes.txt': 'x',
    })
    await directory.link('d/..data', '..2026_01')
    await directory.link('d/a.yaml', '..data/a.yaml')
    const { process, warnings } = await directory.load({ config: 'd' })
    expect(process.mirrors.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(process.http.bind.port).toBe(1)
    expect(process.configFiles.map((file) => directory.shorten(file))).toEqual([
      'd/a.yaml',
      'd/b.yaml',
      'd/e.yaml',
      'd/http.yaml',
    ])
    expect(warnings.map((line) => directory.shorten(line))).toEqual(['d/c.yml: not read: only *.yaml files are'])
  })

  test('names, roots and http are unique over all files of a directory', async () => {
    await using directory = await ConfigDir.create({
      'etcd.conf': '',
      'd/a.yaml': `http: {}\n${ONE_MIRROR}`,
      'd/b.yaml': `${ONE_MIRROR}http:\n  bind: ":2"\n`,
    })
    expect(await directory.faults({ config: directory.file('d') })).toEqual([
      'd/b.yaml:6:3: http: stands in more than one file',
      'd/b.yaml:2:11: mirrors[0].name: "app" is already the name of the mirror at d/a.yaml:3',
      'd/b.yaml:4:30: mirrors[0].target.files.root: the root of mirror "app" (/mirror/app) is also the root of mirror "app" (/mirror/app)',
    ])
  })

  test('an empty directory holds no mirrors', async () => {
    await using directory = await ConfigDir.create({ 'etcd.conf': '' })
    await mkdir(directory.file('d'))
    expect(await directory.faults({ config: 'd' })).toEqual(['d: no mirrors: list at least one under "mirrors:"'])
  })

  test('a missing file is told with the places that were looked at, beside every fault of etcd.conf', async () => {
    await using directory = await ConfigDir.create({ 'etcd.conf': 'dial-timeout: 5x' })
    expect(await directory.faults()).toEqual([
      expect.stringContaining('etcd.conf:1:15: dial-timeout'),
      'mirror.yaml: does not exist: write it, or name a file or a directory with --config',
    ])
  })

  test('--http-bind goes before http.bind and is checked', async () => {
    await using directory = await ConfigDir.create({
      'etcd.conf': '',
      'mirror.yaml': `http: { bind: ":1" }\n${ONE_MIRROR}`,
    })
    expect((await directory.load({ httpBind: '[::1]:2' })).process.http.bind).toEqual({ host: '::1', port: 2 })
    expect(await directory.faults({ httpBind: 'nonsense' })).toEqual([
      '--http-bind: must be [host]:port, such as ":9379", "127.0.0.1:9379" or "[::1]:9379"',
    ])
  })
})
