import { KeyFault } from './key-fault.ts'
import type { Plain, PlainObject } from './plain.ts'

/** Name of the value of a key that is an object as well, as in the tree. */
export const LEAF_MEMBER = '%leaf'

interface Node {
  value: Plain | undefined
  readonly members: Map<string, Node>
}

/** Keys as nested objects: "/" separates names, which come out sorted. */
export class Nesting {
  readonly #top: Node = newNode()

  /** One key; each may be added once. */
  add(key: string, value: Plain): void {
    let node = this.#top
    for (const name of key.split('/')) {
      const next = node.members.get(name) ?? newNode()
      node.members.set(name, next)
      node = next
    }
    node.value = value
  }

  /** `a` beside `a/b` becomes `{ a: { "%leaf": …, b: … } }`. Throws `KeyFault` when there is an `a/%leaf` as well. */
  toPlain(): PlainObject {
    return objectOf(this.#top)
  }
}

function newNode(): Node {
  return { value: undefined, members: new Map() }
}

function objectOf({ value, members }: Node): PlainObject {
  const object: Record<string, Plain> = Object.create(null)
  if (value !== undefined) {
    if (members.has(LEAF_MEMBER)) {
      throw new KeyFault(
        `two keys would be the member "${LEAF_MEMBER}" of one object`,
        `Rename the key that ends in "/${LEAF_MEMBER}", or write the document Flat.`,
      )
    }
    object[LEAF_MEMBER] = value
  }
  const sorted = [...members].sort(([left], [right]) => (left < right ? -1 : 1))
  for (const [name, node] of sorted) object[name] = node.members.size > 0 ? objectOf(node) : (node.value ?? null)
  return object
}
