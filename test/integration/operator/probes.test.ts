import { expect, test } from 'vitest'
import { startKubeApi } from '../../support/kube-api.ts'
import { OPERATOR_NAMESPACE, OPERATOR_USER, OperatorRig, type OperatorRun } from '../../support/operator-rig.ts'
import { eventually } from '../../support/wait.ts'

const OK = /check passed/
const PAGE = 'docs/operator.md'

/** Until a probe says so: every part of it, or that it passes. */
const until = (operator: OperatorRun, probe: string, ...parts: readonly (string | RegExp)[]) =>
  eventually(
    async () => {
      const { status, body } = await operator.probe(probe)
      for (const part of parts) expect(body).toMatch(part)
      expect(status).toBe(parts.includes(OK) ? 200 : 503)
    },
    { timeoutMs: 100_000, intervalMs: 200 },
  )

test('probes of the operator say whether it has its rights and reaches the API server; it stays alive all the same', async () => {
  await using api = await startKubeApi({ users: [OPERATOR_USER] })
  await using rig = await OperatorRig.make(api)
  const expectAlive = async () => {
    for (const operator of [elected, alone]) expect((await operator.probe('livez')).status).toBe(200)
  }
  await rig.grant({ without: ['leases', 'etcdmirrors'] })
  const elected = await rig.operator()
  const alone = await rig.operator(['--leader-election', 'false'])
  const noLease = ['-]leadership failed', 'cannot get resource "leases"', PAGE]
  const noMirrors = ['-]resources failed', 'cannot list resource "etcdmirrors"', PAGE]
  await until(elected, 'startupz', ...noLease)
  await until(elected, 'readyz', ...noLease)
  await until(alone, 'readyz', ...noMirrors)
  // A restart would not bring the rights.
  await until(alone, 'startupz', OK)
  await expectAlive()

  // It leads, and sees no mirror anywhere.
  await rig.grant({ without: ['etcdmirrors'] })
  await until(elected, 'startupz', OK)
  await until(elected, 'readyz', '+]leadership ok', ...noMirrors)
  const standby = await rig.operator()
  await until(standby, 'readyz', OK)

  await rig.grant()
  for (const operator of [elected, alone]) await until(operator, 'readyz', OK)

  // It may still read the Lease, but not renew it.
  await rig.grantIn(OPERATOR_NAMESPACE, 'etcd-mirror-operator', [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get'] },
  ])
  await until(elected, 'readyz', '-]leadership failed', 'cannot update resource "leases"', PAGE)
  await until(alone, 'readyz', OK)
  await rig.grant()
  for (const operator of [elected, standby]) await until(operator, 'readyz', OK)

  api.pause()
  for (const operator of [elected, standby]) {
    await until(operator, 'readyz', '-]leadership failed', /could not be read or written for \d+ s/)
    await until(operator, 'startupz', OK)
  }
  await until(alone, 'readyz', OK)
  await expectAlive()
  api.resume()
  for (const operator of [elected, standby]) await until(operator, 'readyz', OK)
}, 900_000)
