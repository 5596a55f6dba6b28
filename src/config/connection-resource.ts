import * as z from 'zod'
import { durationField } from '../mirror/options.ts'
import { objectNameField } from '../targets/objects/options.ts'

/** etcd servers cut a client that pings more often. */
const MIN_KEEPALIVE_MS = 5000

/** How long something may wait for an etcd that does not answer. */
export const MAX_TIMEOUT = '10m'

const tlsSchema = z
  .strictObject({
    secretRef: z
      .strictObject({ name: objectNameField('Name of the Secret.') })
      .optional()
      .describe(
        'Secret with ca.crt (authorities to trust; without it those of the system) and, for a client certificate, tls.crt and tls.key.',
      ),
    serverName: z
      .string()
      .max(253)
      .optional()
      .describe('Name to expect in the certificate of the server; by default the host of the endpoint.'),
    insecureSkipVerify: z.boolean().prefault(false).describe('Take any certificate of the server. Not for production.'),
  })
  .describe('Speak TLS, at least version 1.2. An endpoint that begins with https:// means the same.')

const authSchema = z
  .strictObject({
    secretRef: z
      .strictObject({ name: objectNameField('Name of the Secret.') })
      .describe('Secret with username and password, as those of type kubernetes.io/basic-auth.'),
  })
  .describe('Log in to etcd with user and password.')

/** A shorter history would help nobody. */
const MIN_COMPACTION_MS = 1000

const compactionSchema = z
  .strictObject({
    period: durationField('1h', MIN_COMPACTION_MS).describe(
      'How often; as much history always remains. Below 1h watchers of others may have to read everything again. 0 = off.',
    ),
  })
  .describe('Have the operator compact the whole etcd. Leave it out where something else does.')

const connectionFields = {
  endpoints: z
    .array(z.string().min(1).max(512).describe('Host and port, such as https://etcd-0.etcd:2379; without a port 2379.'))
    .min(1, 'must not be empty')
    .max(32, 'must not hold more than 32 endpoints')
    .describe('Members of the etcd cluster, or what stands before them.'),
  tls: tlsSchema.optional(),
  auth: authSchema.optional(),
  insecureTransport: z
    .boolean()
    .prefault(false)
    .describe('No TLS on purpose: needed to send a password in plain text.'),
  dialTimeout: durationField('1s', 0, MAX_TIMEOUT).describe(
    'How long connecting to one endpoint may take, at most 10m.',
  ),
  operationTimeout: durationField('3s', 0, MAX_TIMEOUT).describe(
    'How long one call may take, over all endpoints it tries, at most 10m.',
  ),
  keepaliveTime: durationField('10s', MIN_KEEPALIVE_MS).describe(
    'How often a silent connection is asked whether it lives.',
  ),
  keepaliveTimeout: durationField('5s').describe(
    'How long the answer may take before the connection counts as broken.',
  ),
  resyncAfterReconnect: z
    .boolean()
    .prefault(false)
    .describe('Take a complete snapshot after every reconnect, although the history is complete.'),
  compaction: compactionSchema.optional(),
}

/** `spec` of EtcdConnection. */
export const etcdConnectionSpecSchema = z
  .strictObject(connectionFields)
  .describe('How to reach an etcd. Secrets are those of the namespace of the EtcdConnection.')

/** As Kubernetes has it. Without values NotIn would select every namespace. */
export const VALUES_RULE = 'In and NotIn need values, Exists and DoesNotExist take none'

const requirementSchema = z
  .strictObject({
    key: z.string().min(1).max(317).describe('Label key.'),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How the label is compared.'),
    values: z
      .array(z.string().max(63).describe('A value of the label.'))
      .max(256)
      .optional()
      .describe('Values for In and NotIn; none for the others.'),
  })
  .refine(({ operator, values = [] }) => (operator === 'In' || operator === 'NotIn') === values.length > 0, VALUES_RULE)
  .describe('One requirement on a label.')

const selectorSchema = z
  .strictObject({
    matchLabels: z
      .record(z.string(), z.string())
      .optional()
      .describe('Labels that the namespace must have with these values.'),
    matchExpressions: z.array(requirementSchema).max(64).optional().describe('Requirements that must all hold.'),
  })
  .describe('Namespaces by their labels; {} = every namespace.')

const allowSchema = z
  .strictObject({
    namespaceSelector: selectorSchema,
    prefixes: z
      .array(
        z
          .string()
          .max(4096)
          .describe('Keys that may be mirrored: ends in "/"; {namespace} stands for the name of the namespace.'),
      )
      .min(1, 'must not be empty')
      .max(256, 'must not hold more than 256 prefixes')
      .describe('Prefixes that mirrors of these namespaces may use, whole or a part below.'),
  })
  .describe('What mirrors of some namespaces may read.')

/** `spec` of ClusterEtcdConnection. */
export const clusterEtcdConnectionSpecSchema = z
  .strictObject({
    ...connectionFields,
    allow: z
      .array(allowSchema)
      .max(256, 'must not hold more than 256 items')
      .prefault([])
      .describe('Who may mirror what through this connection; what no item allows is refused.'),
  })
  .describe('How to reach an etcd, for mirrors of many namespaces. Secrets are those of the namespace of the operator.')

export type EtcdConnectionSpec = z.output<typeof etcdConnectionSpecSchema>
export type ClusterEtcdConnectionSpec = z.output<typeof clusterEtcdConnectionSpecSchema>
