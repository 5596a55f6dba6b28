import { DURATION_FORMS } from '../util/duration.ts'
import { FILE_MODE, FILE_MODE_FORMS } from '../util/file-mode.ts'
import { QUANTITY_FORMS } from '../util/quantity.ts'
import { MAX_TIMEOUT, VALUES_RULE } from './connection-resource.ts'
import { MIRROR_TARGETS } from './mirror-resource.ts'

/** A rule in CEL that the API server holds. */
export interface CelRule {
  readonly rule: string
  readonly message: string
  readonly fieldPath?: string
}

/** What the schema cannot say, by the path of the field; '' = the resource, `[]` = the items of a list. */
export type CelRules = Readonly<Record<string, readonly CelRule[]>>

const RESERVED = "k.startsWith('etcdmirror.dev/') || k == 'app.kubernetes.io/managed-by'"

const IS_DURATION = "self.matches('^[+]?(0|(([0-9]+[.]?[0-9]*|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$')"
const DURATION: CelRule = {
  rule: `type(self) == int ? self == 0 : ${IS_DURATION}`,
  message: `must be 0 or ${DURATION_FORMS}`,
}
const TIMEOUT: CelRule = {
  rule: `type(self) == int || !${IS_DURATION} || duration(self) <= duration('${MAX_TIMEOUT}')`,
  message: `must be at most ${MAX_TIMEOUT}`,
}
const SIZE: CelRule = {
  rule: "type(self) == int ? self > 0 : self.matches('^[0-9]+(k|M|G|Ki|Mi|Gi)?$')",
  message: `must be ${QUANTITY_FORMS}`,
}
const OBJECT_NAME: CelRule = {
  rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
  message: 'must be a DNS subdomain: lower-case letters, digits, inner "-" and "."',
}
const MODE: CelRule = {
  rule: `self.matches('${FILE_MODE.source}')`,
  message: `must be ${FILE_MODE_FORMS}`,
}

export const MIRROR_RULES: CelRules = {
  '': [
    {
      rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$')",
      message: 'the name must be a DNS label of at most 63 characters: lower-case letters, digits and inner "-"',
    },
  ],
  spec: [
    {
      rule: "self.prefix.endsWith('/') || (has(self.rawPrefix) && self.rawPrefix)",
      message: 'must end in "/" (or set rawPrefix: true to take it as a plain string prefix)',
      fieldPath: '.prefix',
    },
  ],
  'spec.maxStaleness': [DURATION],
  'spec.verifyEvery': [DURATION],
  'spec.limits.maxBytes': [SIZE],
  'spec.limits.maxValueBytes': [SIZE],
  'spec.target': [
    exactlyOne(MIRROR_TARGETS),
    {
      rule: MIRROR_TARGETS.map((kind) => `has(self.${kind}) == has(oldSelf.${kind})`).join(' && '),
      message: 'the kind of the target cannot change: delete the EtcdMirror and create another',
    },
  ],
  'spec.target.objects': [exactlyOne(['template', 'templateFrom'])],
  'spec.target.objects.templateFrom.configMapKeyRef.name': [OBJECT_NAME],
  ...dataObjectRules('spec.target.configMap'),
  ...dataObjectRules('spec.target.secret'),
  'spec.target.secret.type': [
    {
      rule: "!(self in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'])",
      message: 'must not be a type that gives access to the cluster',
    },
  ],
  'spec.target.files.readerGrace': [DURATION],
  'spec.target.files.mode': [MODE],
  'spec.target.files.modes[].mode': [MODE],
  'spec.target.files.directoryMode': [MODE],
  'spec.target.files.render[]': [exactlyOne(['tree', 'document'])],
}

export const CONNECTION_RULES: CelRules = {
  spec: [
    {
      rule: '!(has(self.insecureTransport) && self.insecureTransport && has(self.tls))',
      message: 'tls contradicts insecureTransport: true, remove one of them',
    },
    {
      rule: "!(has(self.insecureTransport) && self.insecureTransport) || self.endpoints.all(e, !e.startsWith('https://'))",
      message: 'https:// contradicts insecureTransport: true',
    },
    {
      rule: "!has(self.tls) || self.endpoints.all(e, !e.startsWith('http://'))",
      message: 'http:// contradicts tls: write https:// or remove tls',
    },
    {
      rule: "!has(self.auth) || has(self.tls) || (has(self.insecureTransport) && self.insecureTransport) || self.endpoints.exists(e, e.startsWith('https://'))",
      message:
        'the password of auth would be sent in plain text: use https:// or tls, or set insecureTransport: true to allow it',
    },
  ],
  'spec.dialTimeout': [DURATION, TIMEOUT],
  'spec.operationTimeout': [DURATION, TIMEOUT],
  'spec.keepaliveTime': [DURATION],
  'spec.keepaliveTimeout': [DURATION],
  'spec.compaction.period': [DURATION],
}

export const CLUSTER_CONNECTION_RULES: CelRules = {
  ...CONNECTION_RULES,
  'spec.allow[].namespaceSelector.matchExpressions[]': [
    {
      rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
      message: VALUES_RULE,
    },
  ],
  'spec.allow[].prefixes[]': [
    { rule: "self == '' || self.endsWith('/')", message: 'must end in "/", or be empty for the whole store' },
  ],
}

export const KEY_RULES: CelRules = {
  spec: [
    exactlyOne(['key', 'keyBase64']),
    { rule: '!(has(self.value) && has(self.valueBase64))', message: 'must hold at most one of: value, valueBase64' },
  ],
}

function dataObjectRules(path: string): CelRules {
  return {
    [`${path}.name`]: [
      { rule: 'self == oldSelf', message: 'cannot change: delete the EtcdMirror and create another' },
      OBJECT_NAME,
    ],
    [`${path}.labels`]: [notReserved()],
    [`${path}.annotations`]: [notReserved()],
    [`${path}.render[]`]: [exactlyOne(['tree', 'document'])],
  }
}

function notReserved(): CelRule {
  return {
    rule: `!self.exists(k, ${RESERVED})`,
    message: 'must not hold what the mirror sets itself: etcdmirror.dev/… and app.kubernetes.io/managed-by',
  }
}

function exactlyOne(members: readonly string[]): CelRule {
  const count = `[${members.map((member) => `has(self.${member})`).join(', ')}].filter(x, x).size() == 1`
  return { rule: count, message: `must hold exactly one of: ${members.join(', ')}` }
}
