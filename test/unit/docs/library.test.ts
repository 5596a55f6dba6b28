import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as library from '../../../src/index.ts'
import * as messages from '../../../src/proto.ts'
import { Page, PROJECT } from './markdown.ts'

const page = Page.read('docs/library.md')
const namesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.split('.'))

/** What the seed's package page and its later versions export of the data broker. */
const SEED_NAMES = [
  ...['BytesBrokerWatcherEtcd', 'BytesConnectionEtcd', 'BytesWatchDelResp', 'BytesWatchPutResp', 'BytesWatchResp'],
  ...['NewBytesWatchDelResp', 'NewBytesWatchPutResp', 'NewEtcdConnectionUsingClient', 'NewEtcdConnectionWithBytes'],
  ...['ClientConfig', 'Config', 'ConfigToClient', 'Root'],
  ...['Put', 'Delete', 'GetValue', 'GetValueRev', 'ListValues', 'ListValuesRange', 'ListKeys', 'NewTxn', 'Commit'],
  ...['PutIfNotExists', 'CompareAndSwap', 'CompareAndDelete', 'Watch', 'NewBroker', 'NewBrokerWithAtomic'],
  ...['NewWatcher', 'Compact', 'GetRevision', 'Close', 'WithTTL', 'WithClientLifetimeTTL', 'WithPrefix'],
  ...['GetChangeType', 'GetKey', 'GetPrevValue', 'GetRevision', 'GetNext', 'BytesKeyValIterator', 'BytesKeyIterator'],
  ...['BytesTxn', 'CampaignInElection'],
  ...['NewProtoWrapperEtcd', 'ProtoWrapperEtcd', 'ProtoBroker', 'ProtoTxn', 'ProtoWatcher', 'SerializerJSON'],
  ...['Plugin', 'NewPlugin', 'DefaultPlugin', 'Option', 'UseDeps', 'Deps', 'Init', 'AfterInit', 'Disabled'],
  ...['OnConnect', 'GetPluginName', 'RawAccess', 'StatusCheck', 'DoResync'],
]

interface Export {
  readonly name: string
  /** Where it is declared, relative to the project. */
  readonly file: string
}

/** Types and values that a package export passes on. */
function exportsOf(path: string): readonly Export[] {
  const text = readFileSync(join(PROJECT, path), 'utf8')
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)'/gms)]
  return lists.flatMap(([, names = '', from = '']) =>
    names
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter((name) => name !== '')
      .map((name) => ({ name, file: join(dirname(path), from) })),
  )
}

const broker = exportsOf('src/index.ts')
const proto = exportsOf('src/proto.ts')
const all = [...broker, ...proto]

describe('docs/library.md', () => {
  test.each([
    ['All exports', broker, library],
    ['Exports of etcd-mirror/proto', proto, messages],
  ])('lists every export of the package, and nothing else, under "%s"', (heading, exported, module) => {
    const named = page.section(heading).rows.flatMap(([cell]) => namesIn(cell))
    expect(named.toSorted()).toEqual(exported.map(({ name }) => name.split(' as ').at(-1)).toSorted())
    expect(Object.keys(module).filter((name) => !named.includes(name))).toEqual([])
  })

  test.each(SEED_NAMES)('has a row for the seed name %s', (name) => {
    const named = page.section("From the seed's names to ours").rows.flatMap(([cell]) => namesIn(cell))
    expect(named).toContain(name)
  })

  test('names only what exists as ours', () => {
    const declared = all.map(({ file }) => readFileSync(join(PROJECT, file), 'utf8')).join('\n')
    const ours = page.section("From the seed's names to ours").rows.flatMap(([, cell]) => namesIn(cell))
    const members = ours.filter((name) => /^\w+$/.test(name))
    expect(members.filter((name) => !new RegExp(`\\b${name}\\b`).test(declared))).toEqual([])
  })
})

test.each(all)('$name has a doc comment', ({ name, file }) => {
  const [original = name] = name.split(' as ')
  const text = readFileSync(join(PROJECT, file), 'utf8')
  const declaration = new RegExp(
    `^export (?:async )?(?:abstract )?(?:class|interface|type|const|function\\*?) ${original}\\b`,
    'm',
  )
  const at = text.search(declaration)
  expect(at, `declared in ${file}`).toBeGreaterThan(-1)
  expect(text.slice(0, at).trimEnd().slice(-2)).toBe('*/')
})

test('docs/library.md: each weakness that is gone has a test that names it', () => {
  const files = ['test/integration', 'test/unit/library'].flatMap((directory) =>
    readdirSync(join(PROJECT, directory), { recursive: true, encoding: 'utf8' }).map((path) => join(directory, path)),
  )
  const tests = files.filter((path) => path.endsWith('.test.ts'))
  const text = tests.map((path) => readFileSync(join(PROJECT, path), 'utf8')).join('\n')
  const numbers = page.section('Weaknesses that are gone').rows.map(([number = '']) => number)
  expect(numbers.length).toBeGreaterThan(5)
  expect(numbers.filter((number) => !new RegExp(`§${number}\\b`).test(text))).toEqual([])
})
