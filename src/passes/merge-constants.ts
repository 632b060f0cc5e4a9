/**
 * Equal constants become one, shared by their readers. A constant of a subgraph is also replaced by an equal one of a
 * graph around it. Of large ones, bytes are loaded only where they agree in type, shape and size.
 */

import { innerDefinitions, renameReads } from '../ir/edits.js'
import { mapInner } from '../ir/graphs.js'
import type { Graph, Model, Tensor } from '../ir/types.js'
import { sameBytes, toHex } from '../util/bytes.js'
import type { Pass } from './pass.js'
import { defaultedInputs } from './scope.js'
import { sweep } from './sweep.js'

export const mergeConstants: Pass = {
  name: 'merge-constants',
  run: async (model) => {
    const graph = merge(model.graph, [], fixedInputs(model))
    return graph === model.graph ? model : { ...model, graph }
  },
}

/** Constants whose names must stay: defaults of inputs, and up to IR version 3 every constant that is listed. */
const fixedInputs = (model: Model): ReadonlySet<string> =>
  model.irVersion < 4 ? new Set(model.graph.inputs) : defaultedInputs(model)

type Known = ReadonlyMap<string, readonly (readonly [name: string, tensor: Tensor])[]>

function merge(graph: Graph, outer: readonly Known[], fixed: ReadonlySet<string>): Graph {
  const own = new Map<string, (readonly [string, Tensor])[]>()
  const noted = graph.quantAnnotations?.flatMap((q) => [q.tensor, ...q.parameters.values()]) ?? []
  const keep = new Set([...graph.outputs, ...fixed, ...noted])
  const shadowed = innerDefinitions(graph)
  const to = new Map<string, string>()
  for (const [name, tensor] of graph.constants) {
    const key = keyOf(tensor)
    if (!keep.has(name)) {
      const twin = [own, ...outer].flatMap((known) => known.get(key) ?? []).find(([, other]) => isEqual(other, tensor))
      if (twin !== undefined) {
        to.set(name, twin[0])
        continue
      }
    }
    if (fixed.has(name) || shadowed.has(name)) continue
    const list = own.get(key)
    if (list) list.push([name, tensor])
    else own.set(key, [[name, tensor]])
  }
  const merged = to.size === 0 ? graph : sweep({ ...graph, nodes: graph.nodes.map((node) => renameReads(node, to)) })
  return mapInner(merged, (inner) => merge(inner, [own, ...outer], new Set()))
}

/** Models have thousands of small constants of one shape: with the content in the key each is looked up, not compared. */
const SMALL = 1024

/** Equal for equal tensors. */
function keyOf(tensor: Tensor): string {
  const key = `${tensor.dtype} ${tensor.shape.join()} ${tensor.byteLength}`
  return tensor.strings || tensor.byteLength > SMALL ? key : `${key} ${toHex(tensor.bytes())}`
}

/** Bit by bit: -0 differs from 0, and a NaN equals itself. */
function isEqual(a: Tensor, b: Tensor): boolean {
  if (a === b) return true
  if (a.strings && b.strings) {
    const other = b.strings()
    return a.strings().every((s, i) => sameBytes(s, other[i]!))
  }
  if (a.external && b.external && a.external.location === b.external.location) {
    if (a.external.offset === b.external.offset) return true
  }
  return sameBytes(a.bytes(), b.bytes())
}
