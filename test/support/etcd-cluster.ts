import { type EtcdSeries, ensureEtcd } from '../rig/ensure.mjs'
import { EtcdServer } from './etcd-server.ts'
import { freePort } from './free-port.ts'
import { PeerNetwork } from './peer-network.ts'
import { makeTempDir } from './temp-dir.ts'
import { eventually } from './wait.ts'

const SIZE = 3
/** Slower than etcd's own, so that a busy machine does not elect all the time. */
const PACE_FLAGS = ['--heartbeat-interval=200', '--election-timeout=2000']

export interface StartClusterOptions {
  readonly version: EtcdSeries
  readonly flags?: readonly string[]
}

/** One member; `id` is etcd's own, in hex. */
export interface Member {
  readonly name: string
  readonly id: string
  readonly server: EtcdServer
}

/** Starts three members on loopback that reach each other through proxies; resolves once all are healthy. */
export async function startCluster(options: StartClusterOptions): Promise<EtcdCluster> {
  const cluster = new EtcdCluster(options)
  try {
    await cluster.start()
    return cluster
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

/** A cluster that tests can break member by member: freeze, crash and restart are methods of `member.server`. */
export class EtcdCluster implements AsyncDisposable {
  /** Between the members; by their names. */
  readonly network: PeerNetwork
  readonly #options: StartClusterOptions
  readonly #servers = new Map<string, EtcdServer>()
  readonly #retired: EtcdServer[] = []
  readonly #peerUrls = new Map<string, string>()
  #ids = new Map<string, string>()
  #count = 0

  constructor(options: StartClusterOptions) {
    this.#options = options
    this.network = new PeerNetwork((id) => [...this.#ids].find(([, other]) => other === id)?.[0])
  }

  /** In the order in which they joined; killed ones too. */
  get members(): readonly Member[] {
    return [...this.#servers].map(([name, server]) => ({ name, id: this.#ids.get(name) ?? '', server }))
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ server }) => server.endpoint)
  }

  async start(): Promise<void> {
    const ports = await Promise.all(Array.from({ length: SIZE }, () => freePort()))
    for (const port of ports) this.#peerUrls.set(this.#nextName(), `http://127.0.0.1:${port}`)
    for (const name of this.#peerUrls.keys()) await this.#make(name, 'new')
    await Promise.all(this.members.map(({ server }) => server.start()))
    await this.#readIds()
  }

  /** The member that calls itself leader in the newest term; waits until there is one. */
  async leader(): Promise<Member> {
    return await eventually(
      async () => {
        const states = await Promise.all(this.members.map((member) => this.#stateOf(member)))
        const newest = Math.max(...states.map((state) => state?.term ?? 0))
        const found = states.find((state) => state?.isLeader && state.term === newest)
        if (found === undefined) throw new Error('The cluster has no leader')
        return found.member
      },
      { timeoutMs: 60_000 },
    )
  }

  /** Two that are not the leader now. */
  async followers(): Promise<readonly [Member, Member]> {
    const leader = await this.leader()
    const [first, second] = this.members.filter(({ name }) => name !== leader.name)
    if (first === undefined || second === undefined) throw new Error('The cluster has less than three members')
    return [first, second]
  }

  /** Removes a member for good and lets a new one, without data, take its place. */
  async replace(member: Member): Promise<Member> {
    await this.remove(member)
    return await this.grow()
  }

  /** Removes a member for good: killed, and of the cluster no more. */
  async remove(member: Member): Promise<void> {
    const other = this.#otherThan(member)
    await member.server.kill()
    await eventually(() => other.etcdctl(['member', 'remove', member.id]), { timeoutMs: 60_000 })
    this.#servers.delete(member.name)
    this.#peerUrls.delete(member.name)
    this.#retired.push(member.server)
  }

  /** One more member, without data, that votes. */
  async grow(): Promise<Member> {
    return await this.#add(this.#first(), [])
  }

  /** A fourth member that does not vote and refuses linearizable reads. */
  async addLearner(): Promise<Member> {
    return await this.#add(this.#first(), ['--learner'])
  }

  /** Stops every member and makes the data of all of them from a snapshot; resolves once all are healthy. */
  async restoreSnapshot(path: string, flags: readonly string[] = []): Promise<void> {
    await Promise.all(this.members.map(({ server }) => server.kill()))
    // Of today's members: those that were there when a member joined may have gone.
    const members = `--initial-cluster=${this.#initialCluster()}`
    for (const { server } of this.members) await server.restoreSnapshot(path, [members, ...flags])
    await Promise.all(this.members.map(({ server }) => server.start()))
    await this.#readIds()
  }

  /** The others are lost: what the survivor has is the cluster from now on, with it as its only member. */
  async forceNewCluster(survivor: Member): Promise<void> {
    await Promise.all(this.members.map(({ server }) => server.kill()))
    for (const { name, server } of this.members) {
      if (name === survivor.name) continue
      this.#servers.delete(name)
      this.#peerUrls.delete(name)
      this.#retired.push(server)
    }
    await survivor.server.start(['--force-new-cluster'])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#servers.values(), ...this.#retired].map((server) => server[Symbol.asyncDispose]()))
    await this.network[Symbol.asyncDispose]()
  }

  async #add(through: EtcdServer, args: readonly string[]): Promise<Member> {
    const name = this.#nextName()
    const peerUrl = `http://127.0.0.1:${await freePort()}`
    this.#peerUrls.set(name, peerUrl)
    const server = await this.#make(name, 'existing')
    // Refused while a member that was lost a moment ago still counts as one.
    await eventually(() => through.etcdctl(['member', 'add', name, `--peer-urls=${peerUrl}`, ...args]), {
      timeoutMs: 60_000,
    })
    await server.start()
    await this.#readIds()
    return { name, id: this.#ids.get(name) ?? '', server }
  }

  async #make(name: string, state: 'new' | 'existing'): Promise<EtcdServer> {
    const { version, flags = [] } = this.#options
    const programs = await ensureEtcd(version)
    const peerUrl = this.#peerUrls.get(name) ?? ''
    const initialCluster = this.#initialCluster()
    const server = new EtcdServer(
      programs,
      { version, flags: [...PACE_FLAGS, ...flags] },
      await makeTempDir(name),
      { client: await freePort(), peer: await freePort() },
      { name, peerUrl, initialCluster, state },
    )
    this.#servers.set(name, server)
    await this.network.join(name, Number(new URL(peerUrl).port), server.peerPort)
    return server
  }

  #initialCluster(): string {
    return [...this.#peerUrls].map(([member, url]) => `${member}=${url}`).join(',')
  }

  #nextName(): string {
    this.#count += 1
    return `m${this.#count}`
  }

  #first(): EtcdServer {
    const [first] = this.members
    if (first === undefined) throw new Error('The cluster has no member')
    return first.server
  }

  #otherThan({ name }: Member): EtcdServer {
    const other = this.members.find((member) => member.name !== name)
    if (other === undefined) throw new Error('The cluster has no other member')
    return other.server
  }

  async #readIds(): Promise<void> {
    const { server } = await this.leader()
    // As text: the ids are too large for JSON numbers.
    const lines = (await server.etcdctl(['member', 'list'])).trim().split('\n')
    this.#ids = new Map(lines.map((line) => line.split(', ')).map(([id = '', , name = '']) => [name, id]))
  }

  async #stateOf(member: Member) {
    try {
      const output = await member.server.etcdctl(['--command-timeout=2s', 'endpoint', 'status', '-w', 'fields'])
      const field = (name: string) => new RegExp(`^"${name}" *: *"?([^"\\n]*)"?$`, 'm').exec(output)?.[1]
      const isLeader = field('Leader') !== undefined && field('Leader') === field('MemberID')
      return { member, term: Number(field('RaftTerm')), isLeader }
    } catch {
      return undefined
    }
  }
}
