import { describe, expect, test } from 'vitest'
import type { TemplateOptions } from '../../../../src/targets/render/options.ts'
import { renderingOf } from '../../../../src/targets/render/rendering.ts'
import { TemplateEngine } from '../../../../src/targets/render/template-engine.ts'
import { templateTextFault } from '../../../../src/targets/render/template-text.ts'
import {
  apply,
  fileSink,
  neverAborted,
  PREFIX,
  position,
  publishedFiles,
  restore,
  type State,
  tempDirectory,
} from '../files/support.ts'

interface GivenTemplate extends Partial<TemplateOptions> {
  readonly text: string
}

function templateSink(root: string, templates: readonly GivenTemplate[]) {
  const render = templates.map((given, index) => ({
    template: { file: `out${index || ''}`, source: 'x.liquid', keys: ['**'], env: [], ...given },
  }))
  return fileSink(root, { projection: renderingOf(render, Buffer.from(PREFIX)) })
}

async function rendered(text: string, state: State, given: Partial<TemplateOptions> = {}): Promise<string> {
  const root = tempDirectory()
  await restore(templateSink(root, [{ text, ...given }]), state, 5)
  return publishedFiles(root).out ?? ''
}

const STATE = {
  'db/host': 'db1',
  'db/port': '5432',
  'workers/w1/addr': '10.0.0.1:80',
  'workers/w2/addr': '10.0.0.2:80',
  'workers/list': 'w1,w2',
  'feature.json': '{"dark": true, "size": [1, 2]}',
  html: '<b>&"quoted"</b>',
}

describe('Template: filters', () => {
  test.each([
    ['{{ "db/host" | get }}:{{ "db/port" | get }}', 'db1:5432'],
    ['{{ "db/name" | getOr: "app" }}', 'app'],
    ['{{ "db/host" | getOr: "app" }}', 'db1'],
    ['{% assign there = "db/host" | exists %}{% if there %}yes{% else %}no{% endif %}', 'yes'],
    ['{% assign there = "db/name" | exists %}{% if there %}yes{% else %}no{% endif %}', 'no'],
    ['{{ "workers" | ls | join: " " }}', 'list w1 w2'],
    ['{{ "workers" | lsdir | join: " " }}', 'w1 w2'],
    ['{{ "" | ls | join: " " }}', 'db feature.json html workers'],
    [
      '{% assign t = "workers" | tree %}{% for p in t %}{{ p.key }}={{ p.value }};{% endfor %}',
      'list=w1,w2;w1/addr=10.0.0.1:80;w2/addr=10.0.0.2:80;',
    ],
    [
      '{% assign t = "workers/*/addr" | gets %}{% for p in t %}{{ p.key }}={{ p.value }};{% endfor %}',
      'workers/w1/addr=10.0.0.1:80;workers/w2/addr=10.0.0.2:80;',
    ],
    ['{% assign f = "feature.json" | get | json %}{{ f.size[1] }}{{ f.dark }}', '2true'],
    ['{% assign f = "feature.json" | get | yaml %}{{ f.size | join: "-" }}', '1-2'],
    ['{{ "feature.json" | get | json | toJson }}', '{"dark":true,"size":[1,2]}'],
    ['{{ "feature.json" | get | json | toYaml }}', 'dark: true\nsize:\n  - 1\n  - 2\n'],
    ['{{ "db/host" | get | base64 }} {{ "ZGIx" | base64Decode }}', 'ZGIx db1'],
    ['{{ "db/host" | get | sha256 }}', '82e64648d9abefef3ab5143537554e7681ea1ba7b387881792033e9dce77f650'],
    ['{{ "workers/list" | get | split: "," | reverse | join: "+" }}', 'w2+w1'],
    ['{{ "a/b/c" | base }} {{ "a/b/c" | dir }}', 'c a/b'],
    ['{{ revision }} {{ prefix }}', '5 /config/'],
    ['{{ "html" | get }}', '<b>&"quoted"</b>'],
    ['{{ "html" | get | escape }}', '&lt;b&gt;&amp;&#34;quoted&#34;&lt;/b&gt;'],
  ])('%s', async (text, expected) => {
    expect(await rendered(text, STATE)).toBe(expected)
  })

  test('env gives the variables that are listed, and no others', async () => {
    process.env.TEMPLATE_TEST_LISTED = 'seen'
    process.env.TEMPLATE_TEST_HIDDEN = 'hunter2'
    expect(await rendered('{{ "TEMPLATE_TEST_LISTED" | env }}', {}, { env: ['TEMPLATE_TEST_LISTED'] })).toBe('seen')
    const hidden = rendered('{{ "TEMPLATE_TEST_HIDDEN" | env }}', {}, { env: ['TEMPLATE_TEST_LISTED'] })
    await expect(hidden).rejects.toThrow('Cannot render out: line 1: there is no variable TEMPLATE_TEST_HIDDEN')
  })

  test('getBase64 takes bytes that are no text, get does not', async () => {
    const root = tempDirectory()
    const sink = templateSink(root, [{ text: '{{ "bin" | getBase64 }}' }])
    await restore(sink, {}, 5).catch(() => undefined)
    const change = {
      type: 'put' as const,
      key: Buffer.from(`${PREFIX}bin`),
      value: Buffer.from([0xff, 0]),
      modRevision: 6,
    }
    const rest = { createRevision: 1, version: 1, lease: 0n }
    await restore(sink, { bin: 'x' }, 6)
    const position = { epoch: 0, clusterId: 2n ** 63n, revision: 7, raftTerm: 2, keyCount: 1, anchor: undefined }
    await sink.apply({ changes: [{ ...change, ...rest }], position }, { signal: new AbortController().signal })
    expect(publishedFiles(root).out).toBe('/wA=')
  })
})

describe('Template: follows its keys', () => {
  test('each change is rendered, over several prefixes at one revision', async () => {
    const root = tempDirectory()
    const text = '{{ "a/x" | getOr: "-" }} {{ "b/y" | getOr: "-" }} {{ revision }}'
    const sink = templateSink(root, [{ text }, { text: '{{ "" | ls | join: "," }}', keys: ['b/**'] }])
    await restore(sink, { 'a/x': '1', 'b/y': '1' }, 5)
    expect(publishedFiles(root)).toEqual({ out: '1 1 5', out1: 'b' })
    await apply(sink, { 'a/x': '2', 'b/y': undefined, 'b/z': '3' }, 6)
    expect(publishedFiles(root)).toEqual({ out: '2 - 6', out1: 'b' })
    await apply(sink, { 'b/z': undefined }, 7)
    expect(publishedFiles(root)).toEqual({ out: '2 - 7', out1: '' })
  })
})

describe('Template: what fails holds the last good file', () => {
  const secret = 'hunter2-secret'
  test.each([
    ['a missing key', '\n{{ "db/none" | get }}', 'line 2: there is no key db/none', 'db/none'],
    ['a key with a "/" in front', '{{ "/db/host" | get }}', 'line 1: there is no key /db/host', '/db/host'],
    ['a missing variable of the template', '{{ nothing }}', 'line 1: undefined variable: nothing', undefined],
    ['a value that is no JSON', '{{ "db/host" | get | json }}', 'line 1: is not JSON', undefined],
    [
      'an endless loop',
      '{% for i in (1..1000000000) %}{% for j in (1..1000000000) %}x{% endfor %}{% endfor %}',
      'limit exceeded',
      undefined,
    ],
    [
      'an output that is too large',
      '{% assign s = "0123456789abcdef" %}{% for i in (1..21) %}{% assign s = s | append: s %}{% endfor %}{{ s }}',
      'bytes',
      undefined,
    ],
  ])('%s', async (_what, text, message, key) => {
    const failure = await rendered(text, { 'db/host': secret }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'RenderFailed', key })
    expect(String(failure)).toContain('Cannot render out: ')
    expect(String(failure)).toContain(message)
    expect(JSON.stringify(failure) + String(failure)).not.toContain(secret)
  })

  test('a template that eats memory is stopped, and the next change is rendered', async () => {
    const root = tempDirectory()
    const text =
      '{% assign n = "n" | get %}{% if n == "bad" %}{% assign s = "0123456789abcdef" %}{% for i in (1..24) %}{% assign s = s | append: s | upcase | downcase %}{% assign l = s | split: "" %}{% endfor %}{{ l | size }}{% endif %}ok {{ n }}'
    const sink = templateSink(root, [{ text }])
    await restore(sink, { n: 'good' }, 5)
    await expect(apply(sink, { n: 'bad' }, 6)).rejects.toMatchObject({ code: 'RenderFailed' })
    expect(publishedFiles(root).out).toBe('ok good')
    await apply(sink, { n: 'better' }, 7)
    expect(publishedFiles(root).out).toBe('ok better')
  })

  test('a template that goes on for too long is stopped, and the next one starts anew', async () => {
    const text =
      '{% if revision == 1 %}{% for i in (1..100000) %}{% for j in (1..100000) %}{% endfor %}{% endfor %}{% endif %}ok'
    const template = { file: 'out', source: 'x', keys: [], env: [], text }
    const engine = new TemplateEngine([template], '/', 4000)
    const at = (revision: number) => ({ entries: [], position: position(revision), signal: neverAborted })
    await expect(engine.render(template, at(1))).rejects.toThrow('its template takes longer than 4 s')
    expect(String(await engine.render(template, at(2)))).toBe('ok')
    engine.close()
  })

  test('templates read no files', async () => {
    await expect(rendered('{% include "/etc/hostname" %}', {})).rejects.toMatchObject({ code: 'RenderFailed' })
  })
})

describe('templateTextFault', () => {
  test('says where a template is broken', () => {
    expect(templateTextFault('{{ "a" | get }}')).toBeUndefined()
    expect(templateTextFault('\n{% if x %}')).toMatchObject({ line: 2 })
  })
})
