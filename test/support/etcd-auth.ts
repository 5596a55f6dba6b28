import type { EtcdServer } from './etcd-server.ts'

export interface AuthOptions {
  readonly user: string
  readonly password: string
  readonly role: string
  /** The user may read the keys below this prefix and nothing else. */
  readonly prefix: string
}

/**
 * Turns authentication on: a user with READ on one prefix alone, and root.
 * Resolves with the environment that makes `server.etcdctl` run as root.
 */
export async function enableAuth(server: EtcdServer, { user, password, role, prefix }: AuthOptions) {
  await server.etcdctl(['user', 'add', 'root:root-password'])
  await server.etcdctl(['role', 'add', 'root'])
  await server.etcdctl(['user', 'grant-role', 'root', 'root'])
  await server.etcdctl(['role', 'add', role])
  await server.etcdctl(['role', 'grant-permission', '--prefix=true', role, 'read', prefix])
  await server.etcdctl(['user', 'add', `${user}:${password}`])
  await server.etcdctl(['user', 'grant-role', user, role])
  await server.etcdctl(['auth', 'enable'])
  return { rootEnv: { ETCDCTL_USER: 'root:root-password' } } as const
}
