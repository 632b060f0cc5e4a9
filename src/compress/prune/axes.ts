/**
 * The indices along all axes of all values of a graph, in classes of those that live and die together: the closure of
 * what the op records say. An index that something needs holds its whole class, and the class knows why.
 */

import { describeNode, subgraphs } from '../../ir/attrs.js'
import { DTYPES, isKnownDType } from '../../ir/dtypes.js'
import { reads } from '../../ir/graphs.js'
import type { Graph, Model, Node, Tensor } from '../../ir/types.js'
import { type AxesCall, type AxisLink, type AxisRef, shapeOf } from '../../ops/def.js'
import { findOp } from '../../ops/index.js'
import { type FactOf, factFinder } from '../../passes/facts.js'
import { isStandard, standardOpset } from '../../passes/standard-domain.js'
import { axisKey, type IndexClass, type IndexSets, indexSets, type ValueAxis } from './index-sets.js'

export interface Axes {
  readonly classes: readonly IndexClass[]
  /** `axisKey`s of constants that a node sums over: zeros there undo whatever meets them. */
  readonly summed: ReadonlySet<string>
  /** Why an index of this axis is held; null where none is. */
  why(at: ValueAxis): string | null
  readonly factOf: FactOf
}

/** What a rule is asked about a node. */
export function axesCall(node: Node, graph: Graph, factOf: FactOf, opsets: ReadonlyMap<string, number>): AxesCall {
  const factAt = (name: string) => (name === '' ? null : factOf(name))
  const open = new Set(graph.inputs)
  return {
    node,
    opset: (isStandard(node.domain) ? standardOpset(opsets) : opsets.get(node.domain)) || 1,
    inputs: node.inputs.map(factAt),
    outputs: node.outputs.map(factAt),
    constant: (i) => (open.has(node.inputs[i] ?? '') ? null : (graph.constants.get(node.inputs[i] ?? '') ?? null)),
    subgraph: (inner) => inner.outputs.map(() => null),
  }
}

/** The value and axis that a reference of a node names; null where the node has none there. */
export const placeOf = (node: Node, ref: AxisRef): ValueAxis | null => {
  const value = (ref.of === 'input' ? node.inputs : node.outputs)[ref.at] ?? ''
  return value === '' ? null : { value, axis: ref.axis }
}

/** `ends`: whether the outputs of the graph hold their axes, as they do but for tests of single ops. */
export function closeAxes(model: Model, { ends = true } = {}): Axes {
  const { graph } = model
  const factOf = factFinder(model)
  const sets = indexSets((value) => graph.constants.get(value)?.shape ?? shapeOf(factOf(value)))
  const summed = new Set<string>()
  const blocks: { readonly node: Node; readonly link: Blocks }[] = []
  const sizes: { readonly node: Node; readonly link: Size }[] = []
  for (const name of graph.inputs) sets.holdAll(name, 'an input of the model has it')
  if (ends) for (const name of graph.outputs) sets.holdAll(name, 'an output of the model has it')
  for (const [name, t] of graph.constants) if (!isCuttable(t)) sets.holdAll(name, 'its elements are not whole bytes')
  for (const name of graph.sparseConstants?.keys() ?? []) sets.holdAll(name, 'it is stored sparse')
  for (const node of graph.nodes) {
    const links = linksOf(node, graph, factOf, model.opsets)
    for (const link of links) {
      if (link.kind === 'blocks') blocks.push({ node, link })
      else if (link.kind === 'size') sizes.push({ node, link })
      else apply(link, node, graph, sets, summed)
    }
    holdUnnamed(node, links, factOf, sets)
  }
  settleSizes(sizes, sets)
  settleBlocks(blocks, sets)
  settleSizes(sizes, sets)
  // The sizes themselves are as many as there are axes.
  for (const { node, link } of sizes) sets.hold(placeOf(node, link.element)!, 'it is a size')
  return { classes: sets.classes(), summed, why: sets.why, factOf }
}

/** Elements of at least a byte each, so that slices can be taken. */
const isCuttable = ({ dtype }: Tensor): boolean => isKnownDType(dtype) && dtype !== 'string' && DTYPES[dtype].bits >= 8

type Blocks = Extract<AxisLink, { kind: 'blocks' }>
type Size = Extract<AxisLink, { kind: 'size' }>

function linksOf(node: Node, graph: Graph, factOf: FactOf, opsets: ReadonlyMap<string, number>): readonly AxisLink[] {
  const rule = findOp(node.domain, node.op)?.axes ?? 'none'
  return rule === 'none' || subgraphs(node).length > 0 ? [] : rule.links(axesCall(node, graph, factOf, opsets))
}

function apply(
  link: Exclude<AxisLink, Blocks | Size>,
  node: Node,
  graph: Graph,
  sets: IndexSets,
  summed: Set<string>,
): void {
  if (link.kind === 'hold') {
    const at = placeOf(node, link.axis)
    if (at !== null) sets.hold(at, `${describeNode(node)} ${link.why}`, link.only)
    return
  }
  const [a, b] = [placeOf(node, link.a), placeOf(node, link.b)]
  if (a === null || b === null) return
  if (!sets.join(a, b, link.index)) {
    for (const at of [a, b]) sets.hold(at, `${describeNode(node)}: a size is not known`)
  }
  if (link.kind !== 'sum') return
  const weight = [b, a].find(({ value }) => graph.constants.has(value))
  if (weight !== undefined) summed.add(axisKey(weight))
  else for (const at of [a, b]) sets.hold(at, `${describeNode(node)} multiplies two activations along it`)
}

/**
 * Axes that no link names keep all of their indices, and so do values that graphs inside the node read. Where an input
 * of the node has no known shape, links between its axes and others are missing: all axes of the node keep theirs.
 */
function holdUnnamed(node: Node, links: readonly AxisLink[], factOf: FactOf, sets: IndexSets): void {
  const open = node.inputs.find((value) => value !== '' && shapeOf(factOf(value)) === null)
  const named = new Set(open === undefined ? links.flatMap(refsOf).map((ref) => `${ref.of} ${ref.at} ${ref.axis}`) : [])
  const why = open === undefined ? 'needs all of it' : `reads ${open}, of which no shape is known`
  const see = (of: 'input' | 'output', value: string, at: number): void => {
    if (value === '') return
    ;(shapeOf(factOf(value)) ?? []).forEach((_, axis) => {
      if (!named.has(`${of} ${at} ${axis}`)) sets.hold({ value, axis }, `${describeNode(node)} ${why}`)
    })
  }
  node.inputs.forEach((value, at) => {
    see('input', value, at)
  })
  node.outputs.forEach((value, at) => {
    see('output', value, at)
  })
  const inner = subgraphs(node).length > 0 ? reads(node) : []
  for (const value of inner) sets.holdAll(value, `${describeNode(node)} reads it inside`)
}

function refsOf(link: AxisLink): readonly AxisRef[] {
  switch (link.kind) {
    case 'hold':
      return [link.axis]
    case 'blocks':
      return [link.flat, ...link.parts]
    case 'size':
      return [link.axis]
    default:
      return [link.a, link.b]
  }
}

/** Axes whose size something needs keep it; that may make something else be needed. */
function settleSizes(sizes: readonly { readonly node: Node; readonly link: Size }[], sets: IndexSets): void {
  for (let isDone = false; !isDone; ) {
    isDone = true
    for (const { node, link } of sizes) {
      const [axis, element] = [placeOf(node, link.axis), placeOf(node, link.element)]
      const why = element && sets.why(element, link.index)
      if (axis === null || why === null || sets.isHeld(axis)) continue
      sets.hold(axis, `its size is read: ${why}`)
      isDone = false
    }
  }
}

/**
 * Of the parts of a block one can shrink: the outermost that leaves several classes, or the only one. Those with the
 * least choice are settled first, for what they hold takes choices from others.
 */
function settleBlocks(blocks: readonly { readonly node: Node; readonly link: Blocks }[], sets: IndexSets): void {
  const pending = blocks.flatMap(({ node, link }) => {
    const flat = placeOf(node, link.flat)
    const parts = link.parts.map((ref) => placeOf(node, ref))
    return flat === null || parts.includes(null) ? [] : [{ node, flat, parts: parts as ValueAxis[] }]
  })
  while (pending.length > 0) {
    const choices = pending.map(({ flat, parts }) =>
      parts.flatMap((part, i) => (sets.countJoined(flat, part, indexIn(parts, i, sets)) > 1 ? [i] : [])),
    )
    const least = choices.findIndex((c) => c.length < 2)
    const [{ node, flat, parts }] = pending.splice(Math.max(0, least), 1) as [(typeof pending)[number]]
    const chosen = choices[Math.max(0, least)]![0]
    parts.forEach((part, i) => {
      if (i === chosen) sets.join(flat, part, indexIn(parts, i, sets))
      else if (sets.size(part) !== 1) sets.hold(part, `${describeNode(node)} splits or merges it with others`)
    })
    if (chosen === undefined) sets.hold(flat, `${describeNode(node)} splits or merges it with others`)
  }
}

/** The index along part i of flat index k: ⌊k / ∏ of the sizes behind⌋ mod its size. */
function indexIn(parts: readonly ValueAxis[], i: number, sets: IndexSets): (k: number) => number {
  const inner = parts.slice(i + 1).reduce((n, part) => n * (sets.size(part) ?? 0), 1)
  const size = sets.size(parts[i]!) ?? 0
  return (k) => Math.floor(k / inner) % size
}
