import type { KubeObject } from '../../kube/kube-object.ts'
import type { WriteResult } from '../../mirror/sink.ts'
import { KeyErrorSet } from '../files/key-errors.ts'
import type { Data, DataObject } from './data-object.ts'
import type { DataObjectOptions } from './options.ts'
import type { ObjectSinkOptions } from './target-session.ts'
import type { KeyRefusal } from './tree-data.ts'

export interface DataObjectReportOptions {
  readonly sink: Pick<ObjectSinkOptions, 'mirrorName' | 'prefix' | 'logger' | 'metrics'>
  readonly object: DataObject
  readonly creationPolicy: DataObjectOptions['creationPolicy']
}

/** What the sink of one object tells people: metrics, log lines, the keys that have no place in it. */
export class DataObjectReport {
  readonly #options: DataObjectReportOptions
  #foreign = 0

  constructor(options: DataObjectReportOptions) {
    this.#options = options
  }

  count(result: 'written' | 'unchanged'): void {
    const { metrics, mirrorName: mirror } = this.#options.sink
    metrics.add('etcd_mirror_objects_total', { mirror, result })
  }

  repaired(differences: number): void {
    const { metrics, logger, mirrorName: mirror } = this.#options.sink
    metrics.add('etcd_mirror_drift_detected_total', { mirror })
    const { resource, name } = this.#options.object
    logger.warn({ mirror, target: `${resource.kind} ${name}`, differences }, 'somebody changed the object; repaired')
  }

  /** In an object of our own nobody else should put data. Each new number is logged once. */
  foreign(live: KubeObject, data: Data): void {
    const { sink, object, creationPolicy } = this.#options
    if (creationPolicy === 'Merge') return
    const { metrics, logger, mirrorName: mirror } = sink
    const names = object.foreignNames(live, data)
    metrics.set('etcd_mirror_foreign_data_keys', { mirror }, names.length)
    const isNews = names.length > this.#foreign
    this.#foreign = names.length
    if (!isNews) return
    const fields = { mirror, target: `${object.resource.kind} ${object.name}`, count: names.length }
    logger.warn({ ...fields, examples: names.slice(0, 10) }, 'others have put data into the object; it is left alone')
  }

  keyErrors(refused: readonly KeyRefusal[]): WriteResult['keyErrors'] {
    const errors = new KeyErrorSet()
    for (const { key, reason } of refused) errors.add(Buffer.concat([this.#options.sink.prefix, key]), reason)
    return errors.summary()
  }
}
