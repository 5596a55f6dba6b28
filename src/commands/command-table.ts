import { EXIT_CODES } from './exit-code.ts'

/** One command as `--help` and docs/cli.md tell of it. */
export interface CommandDefinition {
  /** One line. */
  readonly summary: string
  /** What one has to know before calling it; text for people, wrapped where it is shown. */
  readonly description: string
  readonly examples: readonly CommandExample[]
  /** What its exit codes mean where that is special to it. */
  readonly exits: readonly (readonly [code: number, meaning: string])[]
}

export interface CommandExample {
  readonly command: string
  readonly meaning: string
}

/** Every command, in the order in which `--help` lists them. */
export const COMMANDS = {
  run: {
    summary: 'mirror the prefixes of mirror.yaml until told to stop',
    description:
      'Follows etcd and publishes every revision. SIGTERM drains and ends with 0; SIGHUP reads the configuration at once and compares every mirror with etcd. Changed configuration, certificates and passwords count without a restart.',
    examples: [
      { command: 'etcd-mirror run', meaning: 'with the files of /etc/etcd-mirror' },
      { command: 'etcd-mirror run --config-dir . --log-format text', meaning: 'by hand, readable log' },
      { command: 'etcd-mirror run --one-time --timeout 2m', meaning: 'as an init container' },
      {
        command: 'etcd-mirror run --one-time --skip-after-hooks',
        meaning: 'the same, before a sidecar with the same files',
      },
      { command: 'etcd-mirror run --dry-run', meaning: 'what would the first publish change?' },
    ],
    exits: [
      [EXIT_CODES.done, 'stopped, or with --one-time: every copy equals etcd, and hooks have heard of it'],
      [EXIT_CODES.held, 'with --one-time or --dry-run: a guard holds the copy'],
      [EXIT_CODES.hook, 'with --one-time: every copy equals etcd, but an AfterPublish hook failed'],
    ],
  },
  check: {
    summary: 'check the configuration, the connection to etcd, and permissions',
    description:
      'Reads both files, connects and reads every prefix, and asks the Kubernetes API for each right that a target there needs. Prints one line a finding, and the etcdctl commands and the rules of a Role that grant what is missing. Writes nothing, and does not look at the roots.',
    examples: [
      { command: 'etcd-mirror check', meaning: 'the files of /etc/etcd-mirror' },
      { command: 'etcd-mirror check --config-dir .', meaning: 'the files of this directory' },
    ],
    exits: [
      [EXIT_CODES.refused, 'credentials or TLS refused, or READ on a prefix is missing'],
      [EXIT_CODES.target, 'a right for a Kubernetes target is missing, or its API does not answer'],
    ],
  },
  diff: {
    summary: 'show what the next publish would change',
    description:
      'Compares what each mirror has published with what etcd holds now, byte by byte: paths and sizes, values only with --show-values, of files. Of Kubernetes targets, names and sizes of data keys or objects; objects needs --allow-kinds as run has it. Says what guards, render and validate would hold; programs and requests (hooks, commands of validate) are named, not run. Writes nothing, and may run beside the mirror.',
    examples: [
      { command: 'etcd-mirror diff', meaning: 'every mirror of mirror.yaml' },
      { command: 'etcd-mirror diff --mirror app --show-values', meaning: 'one mirror, with a unified diff of values' },
      { command: 'kubectl exec POD -c mirror -- etcd-mirror diff', meaning: 'in a pod, beside the running mirror' },
    ],
    exits: [
      [EXIT_CODES.done, 'nothing would change'],
      [EXIT_CODES.different, 'something would change'],
    ],
  },
  verify: {
    summary: 'compare each copy with etcd at the revision it was published for',
    description:
      'Reads etcd at the revision of the copy and compares byte by byte: what differs was changed by somebody, or was lost. When etcd has compacted that revision the copy is compared with what etcd holds now, which is said; keys that changed since do not count then. etcdKeys and objects have no revision to compare with: they are left out, with a warning. Writes nothing, and may run beside the mirror, which repairs what differs at SIGHUP or within verifyEvery.',
    examples: [
      { command: 'etcd-mirror verify', meaning: 'every mirror of mirror.yaml' },
      { command: 'etcd-mirror verify --mirror app --json', meaning: 'one mirror, for scripts' },
    ],
    exits: [
      [EXIT_CODES.done, 'every copy is what etcd held'],
      [EXIT_CODES.failed, 'a copy changed so often meanwhile that nothing can be said'],
      [EXIT_CODES.target, 'nothing is published, or it cannot be read'],
      [EXIT_CODES.different, 'a copy differs'],
    ],
  },
  status: {
    summary: 'show what the running process says of its mirrors',
    description:
      'Asks /status of the running process, at --http-bind or http.bind of mirror.yaml: state, revision, lag, keys, last publish and last error of each mirror.',
    examples: [
      { command: 'etcd-mirror status', meaning: 'a table' },
      { command: 'etcd-mirror status --watch', meaning: 'again every two seconds' },
      { command: 'etcd-mirror status --http-bind 10.1.2.3:9379', meaning: 'of a process elsewhere' },
      { command: "etcd-mirror status --json | jq '.mirrors[].lag'", meaning: 'for scripts' },
    ],
    exits: [[EXIT_CODES.failed, 'no process answers there']],
  },
  compact: {
    summary: 'compact the whole etcd: the history before a revision is gone for everybody',
    description:
      'Compacts to the current revision, or to --revision, and waits until the history is gone from disk. A store that was compacted up to there already is no failure.',
    examples: [
      { command: 'etcd-mirror compact', meaning: 'to the current revision' },
      { command: 'etcd-mirror compact --revision 1042', meaning: 'to a revision' },
    ],
    exits: [],
  },
  operator: {
    summary: 'make mirrors of the EtcdMirror resources of a cluster until told to stop',
    description:
      'Follows EtcdMirror, EtcdConnection and ClusterEtcdConnection resources by KUBECONFIG or the service account of the pod, keeps their targets equal to etcd and says in their status what became of them. Of several processes one leads. SIGTERM drains and ends with 0.',
    examples: [
      { command: 'etcd-mirror operator', meaning: 'in a pod, for the whole cluster' },
      { command: 'etcd-mirror operator --namespaces shop,web', meaning: 'for two namespaces alone' },
      {
        command: 'etcd-mirror operator --log-format text --leader-election false',
        meaning: 'by hand, with a kubeconfig',
      },
    ],
    exits: [[EXIT_CODES.done, 'stopped']],
  },
  schema: {
    summary: 'print the JSON schema of mirror.yaml',
    description: 'For editors and for checks in a pipeline.',
    examples: [{ command: 'etcd-mirror schema > mirror.schema.json', meaning: 'for an editor' }],
    exits: [],
  },
} as const satisfies Readonly<Record<string, CommandDefinition>>

export type CommandName = keyof typeof COMMANDS
