/**
 * The indices along all axes of all values of a graph, in classes of those that live and die together: the closure of
 * what the op records say. An index that something needs holds its whole class, and the class knows why.
 */

import { describeNode, subgraphs } from '../../ir/attrs.js'
import { DTYPES, isKnownDType } from '../../ir/dtypes.js'
import { reads } from '../../ir/graphs.js'
import type { Dim, Graph, Model, Node, Tensor } from '../../ir/types.js'
import { type AxesCall, type AxisLink, type AxisRef, shapeOf } from '../../ops/def.js'
import { findOp } from '../../ops/index.js'
import { type FactOf, factFinder } from '../../passes/facts.js'
import { isStandard, standardOpset } from '../../passes/standard-domain.js'

/** An axis of a value, of static size. */
export interface ValueAxis {
  readonly value: string
  readonly axis: number
}

/** Indices that can only be cut together. */
export interface IndexClass {
  /** The axes that it touches, in the order of the graph, with the indices in rising order. */
  readonly places: ReadonlyMap<string, readonly number[]>
}

export interface Axes {
  readonly classes: readonly IndexClass[]
  /** `axisKey`s of constants that a node sums over: zeros there undo whatever meets them. */
  readonly summed: ReadonlySet<string>
  /** Why an index of this axis is held; null where none is. */
  why(at: ValueAxis): string | null
  readonly factOf: FactOf
}

export const axisKey = ({ value, axis }: ValueAxis): string => `${axis}:${value}`
export function axisOfKey(key: string): ValueAxis {
  const colon = key.indexOf(':')
  return { axis: Number(key.slice(0, colon)), value: key.slice(colon + 1) }
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

/** The value and axis that a reference of a node names; null where there is none, or its size is not a number. */
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
  for (const name of graph.inputs) sets.holdAll(name, 'an input of the model has it')
  if (ends) for (const name of graph.outputs) sets.holdAll(name, 'an output of the model has it')
  for (const [name, t] of graph.constants) if (!isCuttable(t)) sets.holdAll(name, 'its elements are not whole bytes')
  for (const name of graph.sparseConstants?.keys() ?? []) sets.holdAll(name, 'it is stored sparse')
  for (const node of graph.nodes) {
    const links = linksOf(node, graph, factOf, model.opsets)
    for (const link of links) {
      if (link.kind === 'blocks') blocks.push({ node, link })
      else apply(link, node, graph, sets, summed)
    }
    holdUnnamed(node, links, factOf, sets)
  }
  settleBlocks(blocks, sets)
  return { classes: sets.classes(), summed, why: sets.why, factOf }
}

/** Elements of at least a byte each, so that slices can be taken. */
const isCuttable = ({ dtype }: Tensor): boolean => isKnownDType(dtype) && dtype !== 'string' && DTYPES[dtype].bits >= 8

type Blocks = Extract<AxisLink, { kind: 'blocks' }>

function linksOf(node: Node, graph: Graph, factOf: FactOf, opsets: ReadonlyMap<string, number>): readonly AxisLink[] {
  const rule = findOp(node.domain, node.op)?.axes ?? 'none'
  return rule === 'none' || subgraphs(node).length > 0 ? [] : rule.links(axesCall(node, graph, factOf, opsets))
}

function apply(link: Exclude<AxisLink, Blocks>, node: Node, graph: Graph, sets: IndexSets, summed: Set<string>): void {
  if (link.kind === 'hold') {
    const at = placeOf(node, link.axis)
    if (at !== null) sets.hold(at, `${describeNode(node)} ${link.why}`)
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

/** Axes that no link names keep all of their indices, and so do values that graphs inside the node read. */
function holdUnnamed(node: Node, links: readonly AxisLink[], factOf: FactOf, sets: IndexSets): void {
  const named = new Set(links.flatMap(refsOf).map((ref) => `${ref.of} ${ref.at} ${ref.axis}`))
  const see = (of: 'input' | 'output', value: string, at: number): void => {
    if (value === '') return
    ;(shapeOf(factOf(value)) ?? []).forEach((_, axis) => {
      if (!named.has(`${of} ${at} ${axis}`)) sets.hold({ value, axis }, `${describeNode(node)} needs all of it`)
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
    default:
      return [link.a, link.b]
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

interface IndexSets {
  size(at: ValueAxis): number | null
  /** Joins index k of `a` with index(k) of `b`; false where a size is not known, or they differ though they should not. */
  join(a: ValueAxis, b: ValueAxis, index?: (k: number) => number | null): boolean
  hold(at: ValueAxis, why: string): void
  holdAll(value: string, why: string): void
  why(at: ValueAxis): string | null
  /** How many classes that nothing holds `flat` would be in, were it joined so. */
  countJoined(flat: ValueAxis, part: ValueAxis, index: (k: number) => number): number
  classes(): readonly IndexClass[]
}

/** Disjoint sets with path halving; an axis gets its indices when it is first asked for. */
function indexSets(shapeOf: (value: string) => readonly Dim[] | null): IndexSets {
  const parent: number[] = []
  const reason: (string | undefined)[] = []
  const starts = new Map<string, number>()
  const find = (i: number): number => {
    let at = i
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!
      at = parent[at]!
    }
    return at
  }
  const unite = (i: number, j: number): void => {
    const [a, b] = [find(i), find(j)]
    if (a === b) return
    const [low, high] = a < b ? [a, b] : [b, a]
    parent[high] = low
    reason[low] ??= reason[high]
  }
  const size = ({ value, axis }: ValueAxis): number | null => {
    const d = shapeOf(value)?.[axis]
    return typeof d === 'number' ? d : null
  }
  const startOf = (at: ValueAxis): number => {
    const key = axisKey(at)
    const known = starts.get(key)
    if (known !== undefined) return known
    const [start, count] = [parent.length, size(at) ?? 0]
    for (let k = 0; k < count; k++) parent.push(start + k)
    starts.set(key, start)
    return start
  }
  const each = (at: ValueAxis, see: (i: number) => void): void => {
    const [start, count] = [startOf(at), size(at) ?? 0]
    for (let k = 0; k < count; k++) see(start + k)
  }
  const hold: IndexSets['hold'] = (at, why) => {
    each(at, (i) => {
      reason[find(i)] ??= why
    })
  }
  return {
    size,
    hold,
    join(a, b, index) {
      const [n, m] = [size(a), size(b)]
      if (n === null || m === null) return n === m
      if (index === undefined && n !== m) return false
      const [from, to] = [startOf(a), startOf(b)]
      for (let k = 0; k < n; k++) {
        const other = index === undefined ? k : index(k)
        if (other !== null && other >= 0 && other < m) unite(from + k, to + other)
      }
      return true
    },
    holdAll(value, why) {
      shapeOf(value)?.forEach((_, axis) => {
        hold({ value, axis }, why)
      })
    },
    why(at) {
      let found: string | null = null
      each(at, (i) => {
        found ??= reason[find(i)] ?? null
      })
      return found
    },
    countJoined(flat, part, index) {
      const [n, m] = [size(flat), size(part)]
      if (n === null || m === null) return 0
      const [from, to] = [startOf(flat), startOf(part)]
      const joined = new Map<number, number>()
      const root = (i: number): number => {
        let at = i
        for (let up = joined.get(at); up !== undefined; up = joined.get(at)) {
          joined.set(at, joined.get(up) ?? up)
          at = joined.get(at)!
        }
        return at
      }
      for (let k = 0; k < n; k++) {
        const [a, b] = [root(find(from + k)), root(find(to + index(k)))]
        // A class that is held stays the root.
        if (a !== b) joined.set(...(reason[a] === undefined ? ([a, b] as const) : ([b, a] as const)))
      }
      const roots = new Set<number>()
      for (let k = 0; k < n; k++) roots.add(root(find(from + k)))
      return [...roots].filter((r) => reason[r] === undefined).length
    },
    classes() {
      const found = new Map<number, Map<string, number[]>>()
      for (const [key, start] of starts) {
        const n = size(axisOfKey(key)) ?? 0
        for (let k = 0; k < n; k++) {
          const root = find(start + k)
          if (reason[root] !== undefined) continue
          const places = found.get(root) ?? new Map<string, number[]>()
          found.set(root, places)
          const list = places.get(key)
          if (list) list.push(k)
          else places.set(key, [k])
        }
      }
      return [...found.values()].map((places) => ({ places }))
    },
  }
}
