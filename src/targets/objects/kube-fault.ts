import { KubeError } from '../../kube/kube-error.ts'
import { SinkError } from '../../mirror/sink-error.ts'

/** What a failure of the Kubernetes API means for a target. Everything else comes back as it is. */
export function toTargetError(error: unknown, target: string): unknown {
  if (!(error instanceof KubeError)) return error
  const { code, message, hint } = error
  const options = { cause: error, ...(hint !== undefined && { hint }) }
  if (code === 'KubeTooLarge') return new SinkError('TargetTooLarge', target, message, options)
  return new SinkError('TargetNotWritable', target, message, options)
}

/** A copy that one object cannot hold. */
export function tooLarge(target: string, bytes: number, limit: number): SinkError {
  return new SinkError(
    'TargetTooLarge',
    target,
    `Cannot write ${target}: names and values of at least ${bytes} bytes, one object holds ${limit}`,
    { hint: 'Leave keys out by keys.exclude, split the prefix into several mirrors, or use etcdKeys.' },
  )
}
