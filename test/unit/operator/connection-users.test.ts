import { expect, test } from 'vitest'
import { ConnectionUsers } from '../../../src/operator/connection-users.ts'

const mirror = (connectionRef: object) => ({ metadata: { name: 'app', namespace: 'team' }, spec: { connectionRef } })

test('mirrors count for the connection that they name now, of their namespace or of the cluster', () => {
  const users = new ConnectionUsers()
  users.note('team/one', mirror({ name: 'main' }))
  users.note('team/two', mirror({ kind: 'EtcdConnection', name: 'main' }))
  users.note('team/two', mirror({ kind: 'EtcdConnection', name: 'main' }))
  expect([...users.of('team/main')]).toEqual(['team/one', 'team/two'])
  users.note('team/one', mirror({ kind: 'ClusterEtcdConnection', name: 'main' }))
  expect([...users.of('/main')]).toEqual(['team/one'])
  expect([...users.of('team/main')]).toEqual(['team/two'])
  users.note('team/one', undefined)
  users.note('team/two', undefined)
  users.note('team/two', undefined)
  expect([users.of('/main').size, users.of('team/main').size]).toEqual([0, 0])
})
