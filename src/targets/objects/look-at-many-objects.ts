import { CONFIG_MAPS } from '../../kube/kube-resource.ts'
import type { CopyComparison } from '../files/compare-copy.ts'
import type { CopyDifference } from '../files/copy-difference.ts'
import { KeyErrorSet } from '../files/key-errors.ts'
import { GroupedKeys } from './grouped-keys.ts'
import { indexName } from './index-object.ts'
import { KnownObjects } from './known-objects.ts'
import { assertOwn, ownSelector } from './object-identity.ts'
import { ObjectPlan, type SourcePlan } from './object-plan.ts'
import type { ObjectProjection } from './object-projection.ts'
import type { LookOptions, StandingObjects, StandingSource } from './standing-objects.ts'
import { storedIndexOf } from './stored-index.ts'

/** Looks at the objects that a mirror makes of keys. Rejects with `SinkError` when they are not the mirror's, and with `KubeError`. */
export async function lookAtManyObjects(projection: ObjectProjection, options: LookOptions): Promise<StandingObjects> {
  const { client, namespace, mirrorName: mirror, configHash, signal } = options
  await projection.prepare?.(client, namespace, signal)
  const name = indexName(mirror)
  const index = await client.get({ resource: CONFIG_MAPS, namespace, name }, signal)
  if (index !== undefined) assertOwn(index, { mirror, target: `ConfigMap ${name}`, isShared: false })
  const { state, totals, seals } = storedIndexOf(index)
  // Whose they are nobody sees who only looks.
  const marks = { mirror, owner: undefined, deletionPolicy: 'Retain' } as const
  const known = new KnownObjects({ projection, marks, seals })
  for (const resource of projection.resources) {
    const query = { resource, namespace, labelSelector: ownSelector(mirror) }
    for await (const { items } of client.list(query, signal)) for (const item of items) known.learn(resource, item)
  }
  return {
    copy: state && {
      revision: state.published.revision,
      position: state.position,
      keys: projection.isGrouped ? totals?.keys : known.totals.keys,
      isSameConfig: state.configHash === configHash,
    },
    compare: (source) => compareObjects(known, projection, options, source),
  }
}

async function compareObjects(
  known: KnownObjects,
  projection: ObjectProjection,
  { prefix, signal }: LookOptions,
  { pages }: StandingSource,
): Promise<CopyComparison> {
  const groups = projection.isGrouped ? new GroupedKeys() : undefined
  const plan = new ObjectPlan({ known, projection, prefixLength: prefix.length, groups })
  for await (const page of pages) for (const entry of page) await plan.put(entry, signal)
  await plan.complete({ isWhole: true, signal })
  const plans = [...plan.plans.values()]
  const live = plans.filter(({ isLive }) => isLive)
  const errors = new KeyErrorSet()
  for (const { key, reason } of live) if (reason !== undefined) errors.add(key, reason)
  return {
    differences: plans
      .flatMap((each) => differencesOf(each, known, projection))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    keyErrors: errors.summary(),
    totals: groups?.totals ?? { keys: live.length, bytes: live.reduce((sum, { size }) => sum + size, 0) },
  }
}

function differencesOf(
  { writes, removals }: SourcePlan,
  known: KnownObjects,
  projection: ObjectProjection,
): readonly CopyDifference[] {
  const facts = (bytes: number) => ({ bytes, mode: undefined })
  const rest = { modRevision: undefined, bytes: undefined }
  return [
    ...writes.map(({ resource, name, manifest }): CopyDifference => {
      const before = known.get(resource, name)
      const kind = before === undefined ? 'added' : 'changed'
      const after = facts(projection.sizeOf(manifest))
      return { path: `${resource.plural}/${name}`, kind, before: before && facts(before.size), after, ...rest }
    }),
    ...removals.map(({ resource, live, size }): CopyDifference => {
      const path = `${resource.plural}/${live.metadata.name}`
      return { path, kind: 'removed', before: facts(size), after: undefined, ...rest }
    }),
  ]
}
