export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
  /** Histograms only: upper bounds in base units. */
  readonly buckets?: readonly number[]
  /** Gauges only: what a series says before anything was reported. Default 0. */
  readonly start?: number
  /** Values of the labels other than `mirror` that stand at zero from the start. */
  readonly initial?: readonly Readonly<Record<string, string>>[]
}

const byReason = (...reasons: string[]) => reasons.map((reason) => ({ reason }))
const byResult = (...results: string[]) => results.map((result) => ({ result }))

/**
 * Every metric of the process, once: the registry, docs/metrics.md and the README list are made from this table.
 * Labels are bounded: mirror name, result, reason, type; never a key.
 */
export const METRICS = {
  etcd_mirror_build_info: { type: 'gauge', labels: ['version', 'node'], help: 'Always 1; the labels say what runs.' },
  etcd_mirror_published_revision: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'etcd revision of the copy that consumers see; 0 before the first publish.',
  },
  etcd_mirror_applied_revision: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'etcd revision up to which the copy is complete; above the published one when nothing changed since.',
  },
  etcd_mirror_observed_revision: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'Newest etcd revision this mirror knows of.',
  },
  etcd_mirror_epoch: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'Number of proven resets of the etcd store since this mirror began; only then may the published revision fall.',
  },
  etcd_mirror_keys: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'Keys of the copy, those included that the target cannot represent.',
  },
  etcd_mirror_key_errors: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'Keys of the published copy that the target cannot represent.',
  },
  etcd_mirror_ready: { type: 'gauge', labels: ['mirror'], help: '1 when the mirror has published a copy.' },
  etcd_mirror_source_connected: {
    type: 'gauge',
    labels: ['mirror'],
    help: '1 while the watch on etcd is open.',
  },
  etcd_mirror_staleness_seconds: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'Seconds since the copy was last known to equal etcd; +Inf before that was ever known.',
    start: Number.POSITIVE_INFINITY,
  },
  etcd_mirror_last_success_timestamp_seconds: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'Unix time at which the copy was last known to equal etcd; 0 before.',
  },
  etcd_mirror_sync_total: {
    type: 'counter',
    labels: ['mirror', 'result'],
    help: 'Attempts to bring the target to a revision: success = published, noop = nothing differed, error = failed and retried.',
    initial: byResult('success', 'noop', 'error'),
  },
  etcd_mirror_publish_duration_seconds: {
    type: 'histogram',
    labels: ['mirror'],
    help: 'Time the target took to make a batch of whole revisions visible.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  etcd_mirror_snapshot_duration_seconds: {
    type: 'histogram',
    labels: ['mirror'],
    help: 'Time from the first page of a snapshot to its publish.',
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
  },
  etcd_mirror_events_total: {
    type: 'counter',
    labels: ['mirror', 'type'],
    help: 'Events received from the watch.',
    initial: [{ type: 'put' }, { type: 'delete' }],
  },
  etcd_mirror_watch_restarts_total: {
    type: 'counter',
    labels: ['mirror', 'reason'],
    help: 'Watch streams opened again, by why the one before ended.',
    initial: byReason('unavailable', 'auth', 'other'),
  },
  etcd_mirror_resync_total: {
    type: 'counter',
    labels: ['mirror', 'reason'],
    help: 'Complete snapshots taken, by reason.',
    initial: byReason(
      'start',
      'compacted',
      'reset',
      'unproven',
      'behind',
      'overflow',
      'verify',
      'lost',
      'request',
      'reconnect',
      'target',
    ),
  },
  etcd_mirror_held: {
    type: 'gauge',
    labels: ['mirror'],
    help: '1 while a guard (limits, safety, render, validate or a hook that vetoes) keeps the last good copy as it is.',
  },
  etcd_mirror_guard_holds_total: {
    type: 'counter',
    labels: ['mirror', 'reason'],
    help: 'Times a guard began to hold the last good copy.',
    initial: byReason(
      'LimitExceeded',
      'EmptyRefused',
      'DeletesRefused',
      'RenderFailed',
      'ValidationFailed',
      'HookVetoed',
    ),
  },
  etcd_mirror_hook_runs_total: {
    type: 'counter',
    labels: ['mirror', 'hook', 'result'],
    help: 'Runs of hooks that ended: success, error or timeout; a BeforePublish hook that does not succeed vetoes.',
    initial: [],
  },
  etcd_mirror_hook_duration_seconds: {
    type: 'histogram',
    labels: ['mirror', 'hook'],
    help: 'Time that runs of hooks took.',
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    initial: [],
  },
  etcd_mirror_drift_detected_total: {
    type: 'counter',
    labels: ['mirror'],
    help: 'Times the copy was found to differ from etcd although no event said so: somebody changed it, or events were lost.',
  },
  etcd_mirror_etcd_requests_total: {
    type: 'counter',
    labels: ['method', 'result'],
    help: 'Unary etcd calls by method and result (ok or the error code).',
    initial: byResult('ok', 'Unavailable', 'DeadlineExceeded', 'PermissionDenied', 'AuthenticationFailed').map(
      ({ result }) => ({ method: 'range', result }),
    ),
  },
  etcd_mirror_objects_total: {
    type: 'counter',
    labels: ['mirror', 'result'],
    help: 'Kubernetes objects that were looked at for a publish: written, deleted, or unchanged = equal already and not written.',
    initial: byResult('written', 'deleted', 'unchanged'),
  },
  etcd_mirror_object_conflicts_total: {
    type: 'counter',
    labels: ['mirror', 'result'],
    help: 'Writes that met fields another field manager holds: repaired = they were edited by hand and taken back, refused = the other one holds to them and nothing was written.',
    initial: byResult('repaired', 'refused'),
  },
  etcd_mirror_foreign_data_keys: {
    type: 'gauge',
    labels: ['mirror'],
    help: 'Data keys that others have put into the ConfigMap or Secret of this mirror (creationPolicy Owner).',
  },
  etcd_mirror_kube_requests_total: {
    type: 'counter',
    labels: ['method', 'result'],
    help: 'Requests to the Kubernetes API by method and result (ok or the error code); watches are not counted.',
    initial: byResult('ok', 'KubeUnavailable', 'KubeThrottled', 'KubeDenied', 'KubeConflict').map(({ result }) => ({
      method: 'PATCH',
      result,
    })),
  },
  etcd_mirror_compactions_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Periods of auto-compact that ended: success = this process compacted, lost = another one did, skipped = nothing could be given up, yielded = left to something else that compacts this etcd; denied and error = failed tries.',
    initial: byResult('success', 'lost', 'skipped', 'yielded', 'denied', 'error'),
  },
  etcd_mirror_compacted_revision: {
    type: 'gauge',
    labels: [],
    help: 'Revision this process compacted etcd to last; 0 = it has not.',
  },
  etcd_mirror_compaction_last_success_timestamp_seconds: {
    type: 'gauge',
    labels: [],
    help: 'Unix time at which this process compacted etcd last; 0 = it has not.',
  },
  etcd_mirror_config_reloads_total: {
    type: 'counter',
    labels: ['result'],
    help: 'Changed configurations read while running: success = in use, error = refused, the one before stays in use.',
    initial: byResult('success', 'error'),
  },
  etcd_mirror_config_last_reload_successful: {
    type: 'gauge',
    labels: [],
    help: '1 while the configuration files, as they were last read, are in use; 0 while an earlier configuration is. The operator has none: 1.',
  },
  workqueue_depth: { type: 'gauge', labels: ['name'], help: 'Operator: keys that wait to be reconciled.' },
  workqueue_adds_total: { type: 'counter', labels: ['name'], help: 'Operator: keys that were added to the queue.' },
  workqueue_retries_total: { type: 'counter', labels: ['name'], help: 'Operator: keys added again after a failure.' },
  workqueue_queue_duration_seconds: {
    type: 'histogram',
    labels: ['name'],
    help: 'Operator: how long keys waited in the queue.',
    buckets: [0.001, 0.01, 0.1, 1, 10, 60],
  },
  workqueue_work_duration_seconds: {
    type: 'histogram',
    labels: ['name'],
    help: 'Operator: how long keys were worked on.',
    buckets: [0.001, 0.01, 0.1, 1, 10, 60],
  },
  controller_runtime_reconcile_total: {
    type: 'counter',
    labels: ['controller', 'result'],
    help: 'Operator: reconciles by controller and result (success or error).',
  },
  controller_runtime_reconcile_errors_total: {
    type: 'counter',
    labels: ['controller'],
    help: 'Operator: reconciles that failed.',
  },
  controller_runtime_reconcile_time_seconds: {
    type: 'histogram',
    labels: ['controller'],
    help: 'Operator: how long a reconcile took.',
    buckets: [0.001, 0.01, 0.1, 1, 10, 60],
  },
  controller_runtime_active_workers: {
    type: 'gauge',
    labels: ['controller'],
    help: 'Operator: keys that are worked on now.',
  },
  controller_runtime_max_concurrent_reconciles: {
    type: 'gauge',
    labels: ['controller'],
    help: 'Operator: most keys that are worked on at once.',
  },
  leader_election_master_status: {
    type: 'gauge',
    labels: ['name'],
    help: 'Operator: 1 while this process is the leader.',
  },
} as const satisfies Record<string, MetricDefinition>

export type MetricName = keyof typeof METRICS
