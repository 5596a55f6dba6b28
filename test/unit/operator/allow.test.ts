import { describe, expect, test } from 'vitest'
import { type AllowRule, isAllowed } from '../../../src/operator/allow.ts'
import { type LabelRequirement, selects } from '../../../src/operator/label-selector.ts'

const web = { namespace: 'shop', labels: { team: 'web', tier: 'front' } }
const rule = (prefixes: string[], namespaceSelector: AllowRule['namespaceSelector'] = {}): AllowRule[] => [
  { namespaceSelector, prefixes },
]

describe('isAllowed', () => {
  test('nothing is allowed without a rule', () => {
    expect(isAllowed([], web, '/config/shop/')).toBe(false)
  })

  test.each([
    ['/config/shop/', true],
    ['/config/shop/deep/er/', true],
    ['/config/shop', false],
    ['/config/shopping/', false],
    ['/config/', false],
    ['', false],
    ['/config/other/', false],
    ['/config/{namespace}/', false],
  ])('of /config/{namespace}/ the namespace shop gets %j: %s', (prefix, isGranted) => {
    expect(isAllowed(rule(['/config/{namespace}/']), web, prefix)).toBe(isGranted)
  })

  test('a prefix that does not end at a slash grants nothing', () => {
    expect(isAllowed(rule(['/config/shop']), web, '/config/shop/')).toBe(false)
    expect(isAllowed(rule(['/config/{namespace}']), web, '/config/shop-secret/')).toBe(false)
  })

  test('the empty prefix grants the whole store', () => {
    expect(isAllowed(rule(['']), web, '')).toBe(true)
    expect(isAllowed(rule(['']), web, '/a/')).toBe(true)
  })

  test('only namespaces that the selector of the same rule selects', () => {
    const rules = [
      ...rule(['/a/'], { matchLabels: { team: 'web' } }),
      ...rule(['/b/'], { matchLabels: { team: 'db' } }),
    ]
    expect(isAllowed(rules, web, '/a/x/')).toBe(true)
    expect(isAllowed(rules, web, '/b/x/')).toBe(false)
  })
})

describe('selects', () => {
  test('an empty selector selects everything; labels must all match', () => {
    expect(selects({}, {})).toBe(true)
    expect(selects({ matchLabels: { team: 'web', tier: 'front' } }, web.labels)).toBe(true)
    expect(selects({ matchLabels: { team: 'web', tier: 'back' } }, web.labels)).toBe(false)
    expect(selects({ matchLabels: { toString: 'x' } }, {})).toBe(false)
  })

  test.each<[LabelRequirement['operator'], string, string[] | undefined, boolean]>([
    ['In', 'team', ['db', 'web'], true],
    ['In', 'team', ['db'], false],
    ['In', 'none', ['web'], false],
    ['NotIn', 'team', ['web'], false],
    ['NotIn', 'team', ['db'], true],
    ['NotIn', 'none', ['web'], true],
    ['Exists', 'team', undefined, true],
    ['Exists', 'none', undefined, false],
    ['DoesNotExist', 'team', undefined, false],
    ['DoesNotExist', 'none', undefined, true],
  ])('%s %s %j is %s', (operator, key, values, expected) => {
    expect(selects({ matchExpressions: [{ operator, key, values }] }, web.labels)).toBe(expected)
  })
})
