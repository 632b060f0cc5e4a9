/**
 * Layers as the search sees them: the nodes that own a weight, the unit of falling back to float. Nodes that share a
 * weight are one layer, for the weight is either integers for all of them or float; so are nodes of one name.
 */

import { subgraphs } from '../ir/attrs.js'
import { definitions } from '../ir/edits.js'
import { nodeKey } from '../ir/graphs.js'
import { elementCount } from '../ir/tensor.js'
import type { Graph, Model } from '../ir/types.js'
import { inspectModel } from '../passes/inspect.js'

export interface Layer {
  /** For people and journals: the node's key; where nodes share a weight, those of the first and that they do. */
  readonly key: string
  /** What transforms know its nodes by: see `nodeKey`. */
  readonly nodes: readonly string[]
  readonly op: string
  /** Shared ones count once. */
  readonly parameters: number
  /** Share of the model's multiply-accumulates, in [0, 1]; 0 where unknown. */
  readonly costShare: number
}

/** Smallest weight that makes a node a layer worth asking about. */
const MIN_ELEMENTS = 64
/** Part of a node's parameters from which on a constant is its weight: biases are shared by layers that are strangers. */
const WEIGHTY = 0.25

/** All layers, subgraphs included, in graph order. */
export function layersOf(model: Model): readonly Layer[] {
  const owners = ownersOf(model.graph)
  const macs = macsByName(model)
  const total = [...macs.values()].reduce((a, b) => a + b, 0)
  return tiedOwners(owners).map((tied) => {
    const nodes = tied.map((o) => o.key)
    const constants = new Set(tied.flatMap((o) => [...o.constants]))
    return {
      key: nameOf(nodes),
      nodes,
      op: [...new Set(tied.flatMap((o) => [...o.ops]))].join(', '),
      parameters: sizeOf(constants),
      costShare: total > 0 ? nodes.reduce((n, key) => n + (macs.get(key) ?? 0), 0) / total : 0,
    }
  })
}

function nameOf([first, second, ...rest]: readonly string[]): string {
  if (second === undefined) return first!
  return rest.length === 0
    ? `${first} and ${second} (one weight)`
    : `${first}, ${second} and ${rest.length} more (one weight)`
}

/** A float32 constant; of two that are equal each is one of its own. */
interface Weight {
  readonly elements: number
}

interface Owner {
  readonly key: string
  readonly ops: Set<string>
  readonly constants: Set<Weight>
}

const sizeOf = (constants: Iterable<Weight>): number => [...constants].reduce((n, w) => n + w.elements, 0)

/** Nodes that read enough float32 constants, of their own graph or of those around it. */
function ownersOf(graph: Graph): readonly Owner[] {
  const owners = new Map<string, Owner>()
  const visit = (inner: Graph, around: ReadonlyMap<string, Weight>): void => {
    const own = definitions(inner)
    const seen = new Map([...around].filter(([name]) => !own.has(name)))
    for (const [name, t] of inner.constants)
      if (t.dtype === 'float32') seen.set(name, { elements: elementCount(t.shape) })
    for (const node of inner.nodes) {
      const constants = new Set(node.inputs.flatMap((name) => seen.get(name) ?? []))
      if (sizeOf(constants) >= MIN_ELEMENTS) {
        const owner = owners.get(nodeKey(node)) ?? { key: nodeKey(node), ops: new Set(), constants: new Set() }
        owner.ops.add(node.op)
        for (const w of constants) owner.constants.add(w)
        owners.set(owner.key, owner)
      }
      for (const { graph: deeper } of subgraphs(node)) visit(deeper, seen)
    }
  }
  visit(graph, new Map())
  return [...owners.values()]
}

/** Owners that share a weight, directly or through others, each set in order. */
function tiedOwners(owners: readonly Owner[]): readonly (readonly Owner[])[] {
  const setOf = new Map<Owner, Set<Owner>>()
  const setsByWeight = new Map<Weight, Set<Owner>>()
  for (const owner of owners) {
    let mine = new Set([owner])
    setOf.set(owner, mine)
    const least = Math.max(MIN_ELEMENTS, WEIGHTY * sizeOf(owner.constants))
    for (const weight of owner.constants) {
      if (weight.elements < least) continue
      const reader = setsByWeight.get(weight)?.values().next().value
      const others = reader === undefined ? mine : setOf.get(reader)!
      if (others !== mine) {
        for (const o of mine) others.add(o)
        for (const o of mine) setOf.set(o, others)
        mine = others
      }
      setsByWeight.set(weight, mine)
    }
  }
  const place = new Map(owners.map((o, i) => [o, i]))
  return [...new Set(setOf.values())].map((set) => [...set].toSorted((a, b) => place.get(a)! - place.get(b)!))
}

function macsByName(model: Model): ReadonlyMap<string, number> {
  const rows = inspectModel(model).layers
  return new Map(rows.map((row) => [row.name, row.macs ?? 0]))
}
