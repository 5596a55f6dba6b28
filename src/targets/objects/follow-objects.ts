import type { ListQuery } from '../../kube/kube-client.ts'
import type { ListWatchOptions } from '../../kube/list-watch.ts'

/** Who looks at objects. What is called must not throw. */
export type ObjectObserver = Pick<ListWatchOptions, 'onList' | 'onChange' | 'onDelete' | 'onOpen' | 'onError'>

/** Tells an observer of the objects of one mirror until the signal aborts, and then resolves. */
export type FollowObjects = (query: ListQuery, observer: ObjectObserver, signal: AbortSignal) => Promise<void>
