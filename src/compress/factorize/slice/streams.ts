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
import { findGroups, type Group, type Slice } from '../../prune/groups.js'
import { axisKey, axisOfKey, type ValueAxis } from '../../prune/index-sets.js'

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
  /** Groups that are none, with the reason. */
  readonly others: readonly { readonly group: Group; readonly reason: string }[]
}

/** Pure; looks at the main graph, in which a stream is a group whose units nothing tells apart. */
export function findStreams(model: Model): Streams {
  const layers = new Map<Node, Layer>()
  for (const layer of findAllLayers(model.graph)) if (layer.kind !== 'state') layers.set(layer.node, layer)
  const normWidths = lastAxisNorms(model)
  const context = { graph: model.graph, layers, normWidths, readers: consumers(model.graph) }
  const streams: Stream[] = []
  const others: Streams['others'][number][] = []
  for (const group of findGroups(withPlainNorms(model, normWidths)).groups) {
    const found = streamOf(group, context)
    if (typeof found === 'string') others.push({ group, reason: found })
    else streams.push(found)
  }
  return { streams, others }
}

/** LayerNormalization over the last axis alone, whose statistics nobody reads, with the axis and its size. */
function lastAxisNorms(model: Model): ReadonlyMap<Node, ValueAxis & { readonly size: number }> {
  const factOf = factFinder(model)
  const found = model.graph.nodes.flatMap((node) => {
    const shape = shapeOf(factOf(node.inputs[0] ?? ''))
    const axis = intAttr(node, 'axis', -1)
    const size = shape?.at(-1)
    const isPlain =
      node.domain === '' && node.op === 'LayerNormalization' && node.outputs.slice(1).every((o) => o === '')
    if (!isPlain || shape === null || typeof size !== 'number' || (axis !== -1 && axis !== shape.length - 1)) return []
    return [[node, { value: node.inputs[0]!, axis: shape.length - 1, size }] as const]
  })
  return new Map(found)
}

/**
 * The model as the closure of axes should see it, for which a normalization holds the axis that it normalizes over: here
 * it is a scale for each coordinate.
 */
function withPlainNorms(model: Model, norms: Pick<ReadonlySet<Node>, 'has'>): Model {
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

interface Context {
  readonly graph: Graph
  readonly layers: ReadonlyMap<Node, Layer>
  readonly normWidths: ReturnType<typeof lastAxisNorms>
  readonly readers: ReadonlyMap<string, readonly Node[]>
}

/** The stream, or why the group is none. */
function streamOf(found: Group, context: Context): Stream | string {
  const group = withoutAdded(found, context.graph)
  const axes = new Map<string, number>()
  for (const unit of group.units) {
    for (const [key, indices] of unit.places) {
      const { value, axis } = axisOfKey(key)
      // A weight may make and read the same stream; no other value has it along two axes.
      const isTwice = (axes.get(value) ?? axis) !== axis && !context.graph.constants.has(value)
      if (indices.length !== 1 || isTwice) return 'its units are more than coordinates'
      axes.set(value, axis)
    }
  }
  const odd = [...axes.keys()].find((name) => (context.graph.constants.get(name)?.dtype ?? 'float32') !== 'float32')
  if (odd !== undefined) return `${odd} is not float32`
  const walk = walkThrough(group, new Set(axes.keys()), context)
  if (typeof walk === 'string') return walk
  const { read, norms } = walk
  if (read.size === 0) return 'no layer reads it'
  const direct = [...read].find(([, norm]) => norm === null)
  if (norms.length > 0 && direct !== undefined)
    return `${describeNode(direct[0].node)} reads it as it is, and others normalized`
  const mixed = unlike(group, read, context)
  if (mixed !== null) return mixed
  const readings = [...read].map(([layer, norm]) => ({ layer, norm, channels: indicesAlong(group, placeRead(layer)) }))
  return { group, readings, norms }
}

/** The group without the values that only the plain form of normalizations has. */
function withoutAdded(group: Group, graph: Graph): Group {
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
  'Expand',
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
function walkThrough(group: Group, names: ReadonlySet<string>, context: Context): Walk | string {
  const { graph, layers, normWidths } = context
  const isIn = (name: string | undefined): boolean => names.has(name ?? '')
  const normOf = new Map<string, Node>()
  const read = new Map<Layer, Node | null>()
  const norms: Node[] = []
  for (const node of graph.nodes) {
    const inputs = node.inputs.filter(isIn)
    if (inputs.length === 0 && !node.outputs.some(isIn)) continue
    const what = describeNode(node)
    if (node.domain !== '') return `${what} is not known to be linear`
    const layer = layers.get(node)
    if (layer !== undefined) {
      const why = throughLayer(node, layer, group, isIn)
      if (why !== null) return `${what} ${why}`
      if (node.inputs.slice(1).some((name) => normOf.has(name))) return `${what} adds what is normalized`
      if (isIn(node.inputs[0])) read.set(layer, normOf.get(node.inputs[0]!) ?? null)
      continue
    }
    const width = normWidths.get(node)
    if (width !== undefined) {
      if (normOf.has(node.inputs[0]!)) return `${what} normalizes it once more`
      if (!isWhole(group, node, width, graph)) return `${what} normalizes over more than the stream`
      norms.push(node)
      normOf.set(node.outputs[0]!, node)
      continue
    }
    const sides = new Set(inputs.map((name) => normOf.get(name) ?? null))
    if (sides.size > 1) return `${what} joins what is normalized with what is not`
    const side = [...sides][0] ?? null
    if (SUMS.has(node.op)) {
      if (side !== null || !node.inputs.every(isIn)) return `${what} adds more than the coordinates`
    } else if (MOVES.has(node.op)) {
      if (side !== null) for (const out of node.outputs) normOf.set(out, side)
    } else return `${what} is no sum over coordinates`
  }
  return { read, norms }
}

/** Why a layer on the stream neither sums over its coordinates nor makes them; null where it does. */
function throughLayer(
  node: Node,
  layer: Layer,
  { units }: Group,
  isIn: (name: string | undefined) => boolean,
): string | null {
  const has = (role: Slice['role']): boolean =>
    units[0]!.slices.some((s) => s.constant === layer.weight && s.role === role)
  if (node.op === 'Conv' && layer.groups > 1) return 'is no sum over coordinates'
  if (isIn(node.inputs[0]) && !has('contraction')) return 'keeps them along another axis'
  if (!isIn(node.outputs[0])) return null
  if (!has('output')) return 'keeps them along another axis'
  return node.inputs[2] && !isIn(node.inputs[2]) ? 'adds one number to all coordinates' : null
}

/** Whether a normalization is over all coordinates, in their order, and nothing else. */
function isWhole(
  { units }: Group,
  { inputs }: Node,
  { value, axis, size }: ValueAxis & { readonly size: number },
  { constants }: Graph,
): boolean {
  const places = [
    { value, axis },
    ...inputs.slice(1).flatMap((name) => (name === '' ? [] : [{ value: name, axis: 0 }])),
  ]
  const isAlone = inputs.slice(1).every((name) => name === '' || constants.get(name)?.shape.length === 1)
  return (
    isAlone &&
    units.length === size &&
    places.every((at) => units.every((u, k) => u.places.get(axisKey(at))?.[0] === k))
  )
}

/** Why one basis would not do for all that reads a weight of the stream; null where it does. */
function unlike(group: Group, read: ReadonlyMap<Layer, Node | null>, { readers, layers }: Context): string | null {
  for (const { constant, axis, role } of group.units[0]!.slices) {
    if (role !== 'contraction') continue
    const own = readers.get(constant)!.map((node) => layers.get(node))
    const norms = new Set(own.map((layer) => layer && read.get(layer)))
    const isOtherwise = own.some((layer) => layer?.weight !== constant || summedAxis(layer) !== axis)
    if (isOtherwise || norms.has(undefined) || norms.size > 1) return `${constant} is read in more than one way`
  }
  return null
}

/** The axis of a layer's weight that it sums over. */
function summedAxis({ kind, isTransposed }: Layer): number {
  if (kind === 'input') return 2
  return kind === 'product' && isTransposed ? 0 : 1
}

/** Where a layer reads coordinates in its weight. */
const placeRead = (layer: Layer): Pick<Slice, 'constant' | 'axis'> => ({
  constant: layer.weight,
  axis: summedAxis(layer),
})

/** The index of each coordinate along an axis of a constant. */
export const indicesAlong = (
  { units }: Group,
  { constant, axis }: Pick<Slice, 'constant' | 'axis'>,
): readonly number[] =>
  units.map(({ slices }) => slices.find((s) => s.constant === constant && s.axis === axis)!.indices[0]!)
