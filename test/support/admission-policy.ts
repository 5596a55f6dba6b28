import type { KubeApi } from './kube-api.ts'
import { eventually } from './wait.ts'

const NAME = 'no-hunter2'

/**
 * Forbids what the cluster's own rules know of alone: a key `refused` in data, and the value `hunter2` in a spec. Resolves
 * once it is enforced in the namespace.
 */
export async function enforcePolicy(api: KubeApi, namespace: string): Promise<AsyncDisposable> {
  const apiVersion = 'admissionregistration.k8s.io/v1'
  const metadata = { name: NAME }
  const resourceRules = [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['*'] }]
  const expression =
    "!(has(object.data) && 'refused' in object.data) && !(has(object.spec) && has(object.spec.value) && object.spec.value == 'hunter2')"
  const validations = [{ expression, message: 'hunter2 is weak', reason: 'Forbidden' }]
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } }
  await api.apply([
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: { failurePolicy: 'Fail', matchConstraints: { namespaceSelector, resourceRules }, validations },
    },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: NAME, validationActions: ['Deny'] },
    },
  ])
  const probe = ['-n', namespace, 'create', 'configmap', 'probe', '--from-literal=refused=1', '--dry-run=server']
  await eventually(
    async () => {
      const isAdmitted = await api.kubectl(probe).then(
        () => true,
        () => false,
      )
      if (isAdmitted) throw new Error('the policy is not enforced yet')
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  )
  return {
    async [Symbol.asyncDispose]() {
      await api.kubectl(['delete', 'validatingadmissionpolicybinding', NAME])
      await api.kubectl(['delete', 'validatingadmissionpolicy', NAME])
    },
  }
}
