import { BUSY_PREFIX, CHURNED_KEY, DIRECTORY_NAMES, LEAF_KEYS, LEASED_KEYS, PLAIN_KEYS, PREFIX } from './key-space.ts'
import type { Random } from './random.ts'
import type { StoreWriter } from './store-writer.ts'

const KIB = 1024

/** One kind of thing that a writer does; `weight` says how often. */
export interface Operation {
  readonly name: string
  readonly weight: number
  readonly run: (writer: StoreWriter, random: Random, values: Values) => Promise<void>
}

/** Values that no other write has, but for the empty one. */
export class Values {
  readonly #source: string
  #count = 0

  /** `source` tells these values from those of others. */
  constructor(source: string) {
    this.#source = source
  }

  small(random: Random): Buffer {
    return this.ofSize(random.int(16, 200))
  }

  any(random: Random): Buffer {
    const { bytes } = random.weighted([
      { weight: 80, bytes: () => random.int(16, 200) },
      { weight: 12, bytes: () => random.int(1, 8) * KIB },
      { weight: 4, bytes: () => random.int(16, 128) * KIB },
      { weight: 4, bytes: () => 0 },
    ])
    return this.ofSize(bytes())
  }

  ofSize(bytes: number): Buffer {
    this.#count += 1
    return bytes === 0 ? Buffer.alloc(0) : Buffer.from(`${this.#count} ${this.#source} `.padEnd(bytes, '.'))
  }
}

export const OPERATIONS: readonly Operation[] = [
  { name: 'put', weight: 40, run: (writer, random, values) => writer.put(random.pick(PLAIN_KEYS), values.any(random)) },
  { name: 'delete', weight: 10, run: (writer, random) => writer.delete(random.pick([...PLAIN_KEYS, ...LEAF_KEYS])) },
  { name: 'delete a directory', weight: 2, run: (writer, random) => writer.deletePrefix(random.pick(DIRECTORY_NAMES)) },
  { name: 'delete everything', weight: 0.2, run: (writer) => writer.deletePrefix(`${PREFIX}d`) },
  { name: 'transaction', weight: 20, run: transaction },
  {
    name: 'leaf and directory',
    weight: 4,
    run: (writer, random, values) => writer.put(random.pick(LEAF_KEYS), values.small(random)),
  },
  { name: 'churn', weight: 5, run: churn },
  { name: 'lease', weight: 2, run: lease },
  {
    name: 'large value',
    weight: 0.5,
    run: (writer, random, values) => writer.put(random.pick(PLAIN_KEYS), values.ofSize(KIB * KIB)),
  },
  { name: 'others', weight: 15, run: others },
]

async function transaction(writer: StoreWriter, random: Random, values: Values): Promise<void> {
  const keys = random.shuffled([...PLAIN_KEYS, CHURNED_KEY]).slice(0, random.int(2, 40))
  const assignments = keys.map((key, index) => {
    const isPut = index === 0 || random.chance(0.7)
    return [key, isPut ? values.small(random) : undefined] as const
  })
  await writer.txn(new Map(assignments))
}

async function churn(writer: StoreWriter, random: Random, values: Values): Promise<void> {
  for (let left = random.int(5, 40); left > 0; left -= 1) await writer.put(CHURNED_KEY, values.small(random))
}

/** Keys that go away together, in one revision of etcd's own. */
async function lease(writer: StoreWriter, random: Random, values: Values): Promise<void> {
  const id = await writer.grantLease(random.int(1, 3))
  for (const key of random.shuffled(LEASED_KEYS).slice(0, random.int(2, LEASED_KEYS.length))) {
    await writer.put(key, values.small(random), id)
  }
}

/** The store moves on while the prefix is quiet. */
async function others(writer: StoreWriter, random: Random, values: Values): Promise<void> {
  for (let left = random.int(1, 20); left > 0; left -= 1) {
    await writer.put(`${BUSY_PREFIX}${random.int(0, 20)}`, values.small(random))
  }
}
