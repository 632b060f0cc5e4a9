/**
 * What structured pruning can cut: units (a channel, a neuron, an attention head, a unit of an LSTM: the smallest set
 * of slices that go together) in groups of those that can stand for each other (all channels of a layer, or of the
 * layers that residual sums join).
 */

import { subgraphs } from '../../ir/attrs.js'
import { nodeKey } from '../../ir/graphs.js'
import type { Graph, Model, Node } from '../../ir/types.js'
import type { AxisRef } from '../../ops/def.js'
import { findOp } from '../../ops/index.js'
import { type Axes, axesCall, axisKey, axisOfKey, closeAxes, type IndexClass, placeOf } from './axes.js'

export interface Slice {
  /** Name of a constant of the model's graph. */
  readonly constant: string
  readonly axis: number
  /** In rising order. */
  readonly indices: readonly number[]
  /** `output`: what makes the unit; `contraction`: what reads it, so that zeros there are as good as a cut. */
  readonly role: 'output' | 'contraction'
}

export interface Unit {
  readonly slices: readonly Slice[]
  /** Where the unit lies along the axes of values between nodes and of constants, by `axisKey`. */
  readonly places: ReadonlyMap<string, readonly number[]>
}

export interface Group {
  /** The keys of its layers, joined by ' + '; with a number where several groups have the same. */
  readonly name: string
  /** Keys of the nodes whose products make the units. */
  readonly layers: readonly string[]
  /** Keys of all nodes whose constants get smaller when units go. */
  readonly touches: readonly string[]
  /** Two or more. */
  readonly units: readonly Unit[]
  /** Indices that a unit has along the outputs of its layers: 1 for a channel, the size of a head for a head. */
  readonly width: number
}

export interface Groups {
  readonly groups: readonly Group[]
  /** Layers that keep all of their outputs, and nodes with graphs inside, by the key of the node, with the reason. */
  readonly held: ReadonlyMap<string, string>
}

/** Pure; reads no weights. Only the main graph has groups. */
export function findGroups(model: Model): Groups {
  const { graph } = model
  const axes = closeAxes(model)
  const layers = layersOf(model, axes)
  const members = new Map<string, Unit[]>()
  for (const found of axes.classes) {
    const unit = unitOf(found, axes, graph)
    if (unit.slices.length === 0) continue
    const key = [...found.places.keys()].sort().join('\n')
    const list = members.get(key)
    if (list) list.push(unit)
    else members.set(key, [unit])
  }
  const several = [...members.values()].filter((units) => units.length > 1)
  // What no layer makes are features of the input, such as the values that a one-hot code knows.
  const groups = numbered(several.map((units) => groupOf(units, graph, layers)).filter((g) => g.layers.length > 0))
  const free = new Set(groups.flatMap((g) => g.layers))
  const held = layers.flatMap(({ node, output }) =>
    free.has(nodeKey(node)) ? [] : [[nodeKey(node), axes.why(output) ?? 'it has one unit alone'] as const],
  )
  const inner = graph.nodes.filter((node) => subgraphs(node).length > 0)
  const within = inner.map((node) => [nodeKey(node), 'what lies inside of it is not pruned'] as const)
  return { groups, held: new Map([...held, ...within]) }
}

/** A node that sums products with a constant, and the axis of its output that the constant makes. */
interface Layer {
  readonly node: Node
  readonly output: { readonly value: string; readonly axis: number }
}

function layersOf({ graph, opsets }: Model, { factOf }: Axes): readonly Layer[] {
  return graph.nodes.flatMap((node): readonly Layer[] => {
    const rule = findOp(node.domain, node.op)?.axes ?? 'none'
    if (rule === 'none') return []
    const links = rule.links(axesCall(node, graph, factOf, opsets))
    const weights = links
      .flatMap((l) => (l.kind === 'sum' ? [l.a, l.b] : []))
      .filter((ref) => isConstant(node, ref, graph))
    const made = links.flatMap((l) => (l.kind === 'tie' ? [[l.a, l.b] as const, [l.b, l.a] as const] : []))
    const found = made.find(
      ([from, to]) => to.of === 'output' && weights.some((w) => from.of === 'input' && from.at === w.at),
    )
    const output = found && placeOf(node, found[1])
    return output ? [{ node, output }] : []
  })
}

const isConstant = (node: Node, ref: AxisRef, graph: Graph): boolean =>
  ref.of === 'input' && graph.constants.has(node.inputs[ref.at] ?? '')

function unitOf({ places }: IndexClass, axes: Axes, graph: Graph): Unit {
  const slices = [...places].flatMap(([key, indices]): readonly Slice[] => {
    const { value, axis } = axisOfKey(key)
    if (!graph.constants.has(value)) return []
    return [{ constant: value, axis, indices, role: axes.summed.has(key) ? 'contraction' : 'output' }]
  })
  return { slices, places }
}

function groupOf(units: readonly Unit[], graph: Graph, layers: readonly Layer[]): Group {
  const [first] = units as readonly [Unit]
  const constants = new Set(first.slices.map((s) => s.constant))
  const touches = graph.nodes.filter((node) => node.inputs.some((name) => constants.has(name))).map(nodeKey)
  const made = layers.filter(({ output }) => first.places.has(axisKey(output)))
  const width = Math.max(0, ...made.map(({ output }) => first.places.get(axisKey(output))!.length))
  const names = made.map(({ node }) => nodeKey(node))
  return { name: names.join(' + '), layers: names, touches, units, width }
}

function numbered(groups: readonly Group[]): readonly Group[] {
  const seen = new Map<string, number>()
  return groups.map((group) => {
    const count = (seen.get(group.name) ?? 0) + 1
    seen.set(group.name, count)
    return count === 1 ? group : { ...group, name: `${group.name} #${count}` }
  })
}
