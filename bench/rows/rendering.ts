import { renameSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchMirror, BenchMirrorOptions } from '../bench-mirror.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import { type DataSet, newValue, relativeKey } from '../data-set.ts'
import { LoadDriver } from '../load-driver.ts'
import { makeRow, type Row } from '../row.ts'
import { summarize } from '../statistics.ts'

const SINGLE = { kind: 'rate', perSecond: 1, count: 1 } as const
const QUIET_MS = 400
/** Of the storm. */
const PER_SECOND = 1000
const EVERY_KEY = '{% assign all = "**" | gets %}{% for kv in all %}{{ kv.key }} {{ kv.value }}\n{% endfor %}'

interface Rendered {
  readonly name: string
  readonly data: DataSet
  readonly more: Pick<BenchMirrorOptions, 'files' | 'beside'>
}

/** One changed key → the file that is made of all of them is visible, beside a bare loop; and hooks in a storm of changes. */
export const rendering: Scenario = {
  name: 'rendering',
  async run(context) {
    const documents = [1000, context.size(10_000, 2000)].map(document)
    const template: Rendered = {
      name: 'template of 1000 keys, one change → visible',
      data: { prefix: '/bench/template/', keys: 1000, valueBytes: 256 },
      more: {
        files: { render: [{ template: { file: 'all.txt', source: 'all.liquid' } }] },
        beside: { 'all.liquid': EVERY_KEY },
      },
    }
    await using etcd = await context.etcdWith(...documents.map(({ data }) => data), template.data)
    const rows: Row[] = []
    for (const rendered of documents) rows.push(await oneChange(context, etcd, rendered))
    return [...rows, await oneChange(context, etcd, template), await storm(context, etcd, template.data)]
  },
}

function document(keys: number): Rendered {
  return {
    name: `document of ${keys} keys, one change → visible`,
    data: { prefix: `/bench/document-${keys}/`, keys, valueBytes: 256 },
    more: { files: { render: [{ document: { file: 'all.json', syntax: 'Json' } }] } },
  }
}

async function oneChange(context: BenchContext, etcd: LoadedEtcd, { name, data, more }: Rendered): Promise<Row> {
  await using mirror = await context.startMirror(etcd, data, context.newPath('tmpfs'), more)
  await using load = await loadOf(etcd, data, mirror)
  const bare = bareLoop(data, context.newDirectory('tmpfs'))
  const samples: number[] = []
  const peer: number[] = []
  for (let change = 0; change < context.size(25, 4); change += 1) {
    samples.push(...(await load.play(SINGLE)).latenciesMs)
    await sleep(QUIET_MS)
    peer.push(bare())
    await sleep(QUIET_MS)
  }
  const { p99, max } = summarize(samples)
  return makeRow({
    name: `${name}, p50`,
    unit: 'ms',
    samples,
    peer: { name: 'JSON.stringify + write + rename', samples: peer },
    note: `p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`,
    listSamples: false,
  })
}

async function loadOf(etcd: LoadedEtcd, data: DataSet, mirror: BenchMirror): Promise<LoadDriver> {
  await mirror.ready()
  const load = await LoadDriver.start({ endpoint: etcd.endpoint, data, observer: { kind: 'tree', root: mirror.root } })
  // The tree for the next publish is made in the background after the first one.
  await sleep(1000)
  return load
}

/** The least that a program with all values in memory has to do at a change; gives back the milliseconds of one. */
function bareLoop({ keys, valueBytes }: DataSet, directory: string): () => number {
  const directories: Record<string, Record<string, string>> = {}
  for (let index = 0; index < keys; index += 1) {
    const [parent = '', name = ''] = relativeKey(index).split('/')
    directories[parent] = { ...directories[parent], [name]: newValue(valueBytes) }
  }
  return () => {
    const started = performance.now()
    writeFileSync(`${directory}/next`, JSON.stringify(directories, null, 2))
    renameSync(`${directory}/next`, `${directory}/all.json`)
    return performance.now() - started
  }
}

async function storm(context: BenchContext, etcd: LoadedEtcd, data: DataSet): Promise<Row> {
  const hooks = [{ name: 'told', phase: 'AfterPublish', debounce: '500ms', exec: { command: ['true'] } }]
  await using mirror = await context.startMirror(etcd, data, context.newPath('tmpfs'), { files: { hooks } })
  await using load = await loadOf(etcd, data, mirror)
  const seconds = context.size(10, 2)
  const before = await mirror.metric('etcd_mirror_hook_runs_total')
  await load.play({ kind: 'rate', perSecond: PER_SECOND, count: PER_SECOND * seconds })
  const runs = (await mirror.metric('etcd_mirror_hook_runs_total')) - before
  return makeRow({
    name: `hook with debounce 500ms, ${PER_SECOND} puts/s for ${seconds} s`,
    unit: 'runs/s',
    samples: [runs / seconds],
    target: { value: 2 },
  })
}
