/** Cuts units out of a model: smaller constants, and nodes that know of it. */

import { builder } from '../../ir/builder.js'
import { checkModel } from '../../ir/check.js'
import { allNames } from '../../ir/graphs.js'
import { elementCount, tensorOfBytes } from '../../ir/tensor.js'
import type { Attr, Graph, Model, Node, Tensor } from '../../ir/types.js'
import { type AxisRef, type NodePatch, shapeOf } from '../../ops/def.js'
import { findOp } from '../../ops/index.js'
import { type FactOf, factFinder } from '../../passes/facts.js'
import { sweep } from '../../passes/sweep.js'
import { PareError } from '../../util/errors.js'
import { axesCall, placeOf } from './axes.js'
import type { Unit } from './groups.js'
import { axisKey, axisOfKey } from './index-sets.js'

/**
 * The model without these units of its groups (`findGroups`); the same model for none. Throws `PRUNE_ALL` where no
 * unit of a group would be left.
 */
export function cutUnits(model: Model, units: readonly Unit[]): Model {
  if (units.length === 0) return model
  const factOf = factFinder(model)
  const kept = keptIndices(model.graph, units, factOf)
  const cut = cutGraph(model, kept, factOf)
  checkModel(cut, 'pruned model')
  return cut
}

type Kept = ReadonlyMap<string, readonly number[]>

/** The indices that stay of every axis that loses some. */
function keptIndices(graph: Graph, units: readonly Unit[], factOf: FactOf): Kept {
  const gone = new Map<string, Set<number>>()
  for (const { places } of units) {
    for (const [key, indices] of places) {
      const set = gone.get(key) ?? new Set()
      gone.set(key, set)
      for (const k of indices) set.add(k)
    }
  }
  return new Map(
    [...gone].map(([key, set]) => {
      const { value, axis } = axisOfKey(key)
      const shape = graph.constants.get(value)?.shape ?? shapeOf(factOf(value))
      const size = Number(shape?.[axis] ?? 0)
      const left = Array.from({ length: size }, (_, k) => k).filter((k) => !set.has(k))
      if (left.length === 0) throw nothingLeft(value, axis, size)
      return [key, left]
    }),
  )
}

const nothingLeft = (value: string, axis: number, size: number): PareError =>
  new PareError('PRUNE_ALL', `all ${size} indices of axis ${axis} would go`, {
    where: value,
    remedy: 'Keep at least one unit of each group.',
  })

function cutGraph(model: Model, kept: Kept, factOf: FactOf): Model {
  const { graph } = model
  const b = builder(allNames(graph))
  const nodes = graph.nodes.map((node) => {
    const rule = findOp(node.domain, node.op)?.axes ?? 'none'
    if (rule === 'none' || rule.cut === undefined) return node
    const left = (ref: AxisRef): readonly number[] | null => {
      const at = placeOf(node, ref)
      return (at && kept.get(axisKey(at))) ?? null
    }
    const patch = rule.cut(axesCall(node, graph, factOf, model.opsets), left)
    if (patch.attrs === undefined && patch.inputs === undefined) return node
    return patched(node, patch, (t, i) => b.constant(t, node.inputs[i] || 'shape'))
  })
  const constants = new Map<string, Tensor>()
  for (const [name, t] of graph.constants) constants.set(name, smaller(name, t, kept))
  for (const [name, t] of b.graph().constants) constants.set(name, t)
  const values = new Map([...graph.values].filter(([name]) => !touched(name, kept, factOf)))
  return { ...model, graph: sweep({ ...graph, nodes, constants, values }) }
}

/** Whether an axis of one of these values gets smaller. */
const touched = (name: string, kept: Kept, factOf: FactOf): boolean =>
  (shapeOf(factOf(name)) ?? []).some((_, axis) => kept.has(axisKey({ value: name, axis })))

function patched(node: Node, patch: NodePatch, constant: (t: Tensor, input: number) => string): Node {
  const attrs = Object.entries({ ...node.attrs, ...patch.attrs }).filter((e): e is [string, Attr] => e[1] !== null)
  const inputs = [...node.inputs]
  for (const [i, t] of patch.inputs ?? []) {
    while (inputs.length <= i) inputs.push('')
    inputs[i] = t === null ? '' : constant(t, i)
  }
  while (inputs.at(-1) === '') inputs.pop()
  return { ...node, inputs, attrs: Object.fromEntries(attrs) }
}

/** The same tensor where none of its axes loses an index. */
function smaller(name: string, t: Tensor, kept: Kept): Tensor {
  return t.shape.reduce((rest, _, axis) => {
    const left = kept.get(axisKey({ value: name, axis }))
    return left === undefined ? rest : take(rest, axis, left)
  }, t)
}

/** The slices of a tensor at some indices of an axis. */
function take(t: Tensor, axis: number, indices: readonly number[]): Tensor {
  const outer = elementCount(t.shape.slice(0, axis))
  const size = t.shape[axis]!
  const bytes = t.bytes()
  const row = bytes.byteLength / (outer * size)
  const out = new Uint8Array(outer * indices.length * row)
  for (let o = 0, to = 0; o < outer; o++) {
    for (const k of indices) {
      const from = (o * size + k) * row
      out.set(bytes.subarray(from, from + row), to)
      to += row
    }
  }
  const made = tensorOfBytes(t.dtype, t.shape.with(axis, indices.length), out)
  return { ...made, ...(t.doc !== undefined && { doc: t.doc }) }
}
