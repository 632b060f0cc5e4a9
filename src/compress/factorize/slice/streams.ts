/**
 * Streams: values that layers add to and read, with nothing but sums, moves and normalizations between: the residual stream
 * of a transformer, the narrow ends of inverted residual blocks. Such values may be held in any basis, where what makes them
 * and what reads them know of it.
 */

import { describeNode, intAttr } from '../../../ir/attrs.js'
import { consumers, withGraph } from '../../../ir/graphs.js'
import type { Graph, Model, Node } from '../../../ir/types.js'
import { shapeOf } from '../../../ops/def.js'
import { factFinder } from '../../../passes/facts.js'
import { freshNames } from '../../../passes/names.js'
import type { Layer } from '../../layers/layer.js'
import { findAllLayers } from '../../layers/recurrent.js'
import { findGroups, type Group } from '../../prune/groups.js'
import { axisOfKey } from '../../prune/index-sets.js'

export interface Stream {
  /** Its units are the coordinates: each has one index along every axis that it lies on. */
  readonly group: Group
  readonly readings: readonly Reading[]
  /** All LayerNormalization, between the stream and its readers. */
  readonly norms: readonly Node[]
}

export interface Reading {
  readonly layer: Layer
  /** What normalizes the stream for it. */
  readonly norm: Node | null
  /** Of each coordinate, its place among the inputs (channels) of the layer. */
  readonly channels: readonly number[]
}

export interface Streams {
  readonly streams: readonly Stream[]
  /** Groups that are none, with the reason, by name. */
  readonly others: ReadonlyMap<string, string>
}

/** Pure; looks at the main graph, in which a stream is a group whose units nothing tells apart. */
export function findStreams(model: Model): Streams {
  const layers = new Map<Node, Layer>()
  for (const layer of findAllLayers(model.graph)) if (layer.kind !== 'state') layers.set(layer.node, layer)
  const look = { graph: model.graph, layers, normalizes: lastAxisNorms(model), readers: consumers(model.graph) }
  const streams: Stream[] = []
  const others = new Map<string, string>()
  for (const group of findGroups(withPlainNorms(model, look.normalizes)).groups) {
    const found = streamOf(group, look)
    if (typeof found === 'string') others.set(group.name, found)
    else streams.push(found)
  }
  return { streams, others }
}

/** LayerNormalization over the last axis alone, whose statistics nobody reads. */
function lastAxisNorms(model: Model): ReadonlySet<Node> {
  const factOf = factFinder(model)
  const norms = model.graph.nodes.filter((node) => {
    if (node.domain !== '' || node.op !== 'LayerNormalization' || node.outputs.slice(1).some((o) => o !== ''))
      return false
    const rank = shapeOf(factOf(node.inputs[0]!))?.length
    return [-1, rank === undefined ? -1 : rank - 1].includes(intAttr(node, 'axis', -1))
  })
  return new Set(norms)
}

/**
 * The model as the closure of axes should see it, for which a normalization holds the axis that it normalizes over: here
 * it is a scale for each coordinate.
 */
function withPlainNorms(model: Model, norms: ReadonlySet<Node>): Model {
  const fresh = freshNames(model)
  const nodes = model.graph.nodes.flatMap((node): readonly Node[] => {
    if (!norms.has(node)) return [node]
    const [x, scale, bias] = node.inputs
    const [y] = node.outputs
    if (!bias) return [{ ...node, op: 'Mul', inputs: [x!, scale!], attrs: {} }]
    const scaled = fresh(`${y}_scaled`)
    return [
      { ...node, name: '', op: 'Mul', inputs: [x!, scale!], outputs: [scaled], attrs: {} },
      { ...node, op: 'Add', inputs: [scaled, bias], attrs: {} },
    ]
  })
  return withGraph(model, { ...model.graph, nodes })
}

interface Look {
  readonly graph: Graph
  readonly layers: ReadonlyMap<Node, Layer>
  readonly normalizes: ReadonlySet<Node>
  readonly readers: ReadonlyMap<string, readonly Node[]>
}

/** The stream, or why the group is none. */
function streamOf(found: Group, look: Look): Stream | string {
  const group = within(found, look.graph)
  const axes = new Map<string, number>()
  for (const unit of group.units) {
    for (const [key, indices] of unit.places) {
      const { value, axis } = axisOfKey(key)
      // A weight may make and read the same stream; no other value has it along two axes.
      const isTwice = (axes.get(value) ?? axis) !== axis && !look.graph.constants.has(value)
      if (indices.length !== 1 || isTwice) return 'its units are more than coordinates'
      axes.set(value, axis)
    }
  }
  const odd = [...axes.keys()].find((name) => (look.graph.constants.get(name)?.dtype ?? 'float32') !== 'float32')
  if (odd !== undefined) return `${odd} is not float32`
  const walk = walkThrough(axes, look)
  if (typeof walk === 'string') return walk
  const { read, norms } = walk
  if (read.size === 0) return 'no layer reads it'
  const direct = [...read].find(([, norm]) => norm === null)
  if (norms.length > 0 && direct !== undefined)
    return `${describeNode(direct[0].node)} reads it as it is, and others normalized`
  const mixed = unlike(group, read, look)
  if (mixed !== null) return mixed
  const readings = [...read].map(([layer, norm]) => ({ layer, norm, channels: channelsOf(layer, group) }))
  return { group, readings, norms }
}

/** The group without the values that only the plain form of normalizations has. */
function within(group: Group, graph: Graph): Group {
  const names = new Set([...graph.constants.keys(), ...graph.nodes.flatMap((node) => node.outputs)])
  const units = group.units.map(({ slices, places }) => ({
    slices,
    places: new Map([...places].filter(([key]) => names.has(axisOfKey(key).value))),
  }))
  return { ...group, units }
}

interface Walk {
  /** Layers that read the stream, with what normalizes it for them. */
  readonly read: ReadonlyMap<Layer, Node | null>
  readonly norms: readonly Node[]
}

/** Moves keep coordinates as they are, and average or sum along other axes. */
const MOVES: ReadonlySet<string> = new Set([
  'AveragePool',
  'Concat',
  'Dropout',
  'Flatten',
  'Gather',
  'GlobalAveragePool',
  'Identity',
  'ReduceMean',
  'ReduceSum',
  'Reshape',
  'Shape',
  'Slice',
  'Split',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
])
const SUMS: ReadonlySet<string> = new Set(['Add', 'Sub', 'Sum'])

/** Goes through all nodes that lie on the stream, in order; says which of them it cannot pass. */
function walkThrough(axes: ReadonlyMap<string, number>, { graph, layers, normalizes }: Look): Walk | string {
  const isIn = (name: string | undefined): boolean => axes.has(name ?? '')
  const normOf = new Map<string, Node>()
  const read = new Map<Layer, Node | null>()
  const norms: Node[] = []
  for (const node of graph.nodes) {
    const inputs = node.inputs.filter(isIn)
    if (inputs.length === 0 && !node.outputs.some(isIn)) continue
    const what = describeNode(node)
    const sides = new Set(inputs.filter((name) => !graph.constants.has(name)).map((name) => normOf.get(name) ?? null))
    if (sides.size > 1) return `${what} joins what is normalized with what is not`
    const side = [...sides][0] ?? null
    if (node.domain !== '') return `${what} is not known to be linear`
    if (normalizes.has(node)) {
      if (side !== null) return `${what} normalizes it once more`
      norms.push(node)
      normOf.set(node.outputs[0]!, node)
    } else if (SUMS.has(node.op)) {
      if (side !== null || !node.inputs.every(isIn)) return `${what} adds more than the coordinates`
    } else if (MOVES.has(node.op)) {
      if (side !== null) for (const out of node.outputs) normOf.set(out, side)
    } else {
      const layer = layers.get(node)
      if (layer === undefined || (node.op === 'Conv' && layer.groups > 1)) return `${what} is no sum over coordinates`
      // A bias of one number for all is no vector in the basis.
      if (isIn(node.outputs[0]) && node.inputs[2] && !isIn(node.inputs[2]))
        return `${what} adds one number to all coordinates`
      if (isIn(node.inputs[0])) read.set(layer, side)
    }
  }
  return { read, norms }
}

/** Why one basis would not do for all that reads a weight of the stream; null where it does. */
function unlike(group: Group, read: ReadonlyMap<Layer, Node | null>, { readers, layers }: Look): string | null {
  for (const { constant, role } of group.units[0]!.slices) {
    if (role !== 'contraction') continue
    const own = readers.get(constant)!.map((node) => layers.get(node))
    const norms = new Set(own.map((layer) => layer && read.get(layer)))
    if (own.some((layer) => layer?.weight !== constant) || norms.has(undefined) || norms.size > 1)
      return `${constant} is read in more than one way`
  }
  return null
}

/** Where the coordinates lie among the inputs of a layer. */
const channelsOf = ({ weight }: Layer, { units }: Group): readonly number[] =>
  units.map(({ slices }) => slices.find((s) => s.constant === weight && s.role === 'contraction')!.indices[0]!)
