import { didYouMean } from '../util/suggest.ts'
import { FLAGS } from './flag-table.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What Kubernetes sets for every Service of the namespace whose name begins with `etcd-mirror`. */
const SERVICE_LINK = /^ETCD_MIRROR_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_.*)?)$/
/** Read by the test rig, never by the product. */
const RIG = /^ETCD_MIRROR_RIG_/

/** A line for every `ETCD_MIRROR_*` variable that nobody reads: most likely one that is misspelt. */
export function unknownVariables(env: Environment): string[] {
  const known = Object.values(FLAGS).flatMap(({ variables }) => variables)
  return Object.keys(env)
    .filter((name) => name.startsWith('ETCD_MIRROR_') && !known.includes(name))
    .filter((name) => !SERVICE_LINK.test(name) && !RIG.test(name))
    .sort()
    .map((name) => `environment variable ${name}: unknown${didYouMean(name, known)}`)
}
