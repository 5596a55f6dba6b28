import type { KubeClient } from './kube-client.ts'

/** One thing that somebody may want to do in a namespace. */
export interface AccessRequest {
  readonly namespace: string
  readonly verb: string
  /** '' = the core group. */
  readonly group: string
  /** As in RBAC rules: the plural. */
  readonly resource: string
  /** Default: any. */
  readonly name?: string | undefined
}

const PATH = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'

/** Whether the API server would let us do it, whoever decides that. Writes nothing. Rejects with `KubeError`. */
export async function mayDo(client: KubeClient, request: AccessRequest, signal: AbortSignal): Promise<boolean> {
  const { name, ...attributes } = request
  const resourceAttributes = { ...attributes, ...(name !== undefined && { name }) }
  const body = JSON.stringify({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  })
  const action = `ask whether ${request.verb} ${request.resource} is allowed`
  const answer = await client.json(action, {
    method: 'POST',
    path: PATH,
    contentType: 'application/json',
    body,
    signal,
  })
  const { status } = answer as { readonly status?: { readonly allowed?: boolean } }
  return status?.allowed === true
}
