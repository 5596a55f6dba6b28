import type { DescMessage } from '@bufbuild/protobuf'
import { EtcdMirrorError } from '../../util/etcd-mirror-error.ts'

/** `InvalidMessage`, without the text of what went wrong inside: that may quote a value. The name of a field may stay. */
export function messageError(
  action: 'read' | 'write',
  { typeName }: DescMessage,
  { state, key, cause }: { readonly state?: string; readonly key?: Buffer; readonly cause?: unknown },
): EtcdMirrorError {
  const name = key === undefined ? '' : ` at key ${JSON.stringify(key.toString('utf8'))}`
  const why = state ?? `not a valid message${fieldIn(cause)}`
  return new EtcdMirrorError('InvalidMessage', `Cannot ${action} ${typeName}${name}: ${why}`, false)
}

/** The library's errors begin with "cannot decode field a.B.c from JSON" and the like. */
function fieldIn(cause: unknown): string {
  const field = cause instanceof Error ? /\bfield ([A-Za-z_][\w.]*)/.exec(cause.message)?.[1] : undefined
  return field === undefined ? '' : ` (field ${field})`
}
