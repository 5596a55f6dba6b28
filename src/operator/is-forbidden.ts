import { KubeError } from '../kube/kube-error.ts'

/** Whether the API knows us and says that we may not: only who grants rights can change it. */
export function isForbidden(error: unknown): error is KubeError {
  return error instanceof KubeError && error.status === 403
}
