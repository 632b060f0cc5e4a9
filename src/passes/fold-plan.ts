/**
 * What to fold in one graph: the nodes that depend on constants alone, cut back until no result takes more bytes
 * than what it replaces.
 */

import { byteSize, DTYPES, isKnownDType } from '../ir/dtypes.js'
import { consumers, producers, reads } from '../ir/graphs.js'
import { elementCount, tensor } from '../ir/tensor.js'
import type { Node, Tensor } from '../ir/types.js'
import { fits, isStatic } from '../ops/shapes.js'
import type { FactOf } from './facts.js'
import { isPure } from './pure.js'
import type { Scope } from './scope.js'
import { nodeBytes, tensorBytes } from './size.js'

/** A result may exceed what it replaces by this much, as long as the graph as a whole does not grow. */
const SMALL = 1024
/** Constants of a narrow type with at least this many elements are taken for compressed weights. */
const COMPRESSED = 16

export interface FoldPlan {
  /** Nodes that go. */
  readonly nodes: ReadonlySet<Node>
  /** Values that become constants. */
  readonly tensors: ReadonlyMap<string, Tensor>
}

/** Evaluates values; those that the engine cannot give are absent. */
export type Evaluate = (values: readonly string[]) => Promise<ReadonlyMap<string, Tensor>>

interface Candidate {
  readonly name: string
  readonly maker: Node
  /** Bytes that the file gains if this value becomes a constant. */
  readonly growth: number
  readonly isCompressed: boolean
}

/** `known` holds values whose content shape inference gave; their makers need not be run. */
export async function planFolds(
  scope: Scope,
  factOf: FactOf,
  known: ReadonlyMap<string, Tensor>,
  evaluate: Evaluate,
): Promise<FoldPlan> {
  const foldable = foldableNodes(scope, factOf, known)
  const values = new Map(known)
  const compute = async (names: readonly string[]): Promise<void> => {
    for (const [name, result] of await evaluate(names.filter((n) => !values.has(n)))) values.set(name, result)
  }
  for (;;) {
    const frontier = frontierOf(scope, foldable)
    const blind = [...frontier.keys()].filter((name) => sizeOf(name, factOf, values) === null)
    await compute(blind)
    const candidates = weigh(scope, foldable, frontier, (name) => sizeOf(name, factOf, values))
    const rejected = [...candidates.filter(isRejected), ...overBudget(candidates.filter((c) => !isRejected(c)))]
    for (const { maker } of rejected) foldable.delete(maker)
    if (rejected.length > 0) continue
    await compute([...frontier.keys()])
    const failed = [...frontier].filter(([name]) => !values.has(name))
    for (const [, maker] of failed) foldable.delete(maker)
    if (failed.length > 0) continue
    return { nodes: foldable, tensors: new Map([...frontier.keys()].map((name) => [name, values.get(name)!])) }
  }
}

const isRejected = ({ growth, isCompressed }: Candidate): boolean => growth > 0 && (isCompressed || growth >= SMALL)

/** Where the whole would grow: the values that grow most. */
function overBudget(candidates: readonly Candidate[]): readonly Candidate[] {
  let total = candidates.reduce((n, { growth }) => n + growth, 0)
  const out: Candidate[] = []
  for (const candidate of candidates.toSorted((a, b) => b.growth - a.growth)) {
    if (total <= 0) break
    out.push(candidate)
    total -= candidate.growth
  }
  return out
}

function foldableNodes(scope: Scope, factOf: FactOf, known: ReadonlyMap<string, Tensor>): Set<Node> {
  const foldable = new Set<Node>()
  const settled = new Set<string>()
  for (const node of scope.graph.nodes) {
    const outputs = node.outputs.filter((out) => out !== '')
    if (outputs.length === 0 || node.op === 'Constant') continue
    const given = outputs.every((out) => known.has(out))
    const computed =
      reads(node).every((n) => n === '' || settled.has(n) || scope.constant(n) !== null) && isPure(node, factOf)
    if (!given && !computed) continue
    foldable.add(node)
    for (const out of outputs) settled.add(out)
  }
  return foldable
}

/** Values of foldable nodes that others read, with their makers. */
function frontierOf({ graph }: Scope, foldable: ReadonlySet<Node>): Map<string, Node> {
  const readers = consumers(graph)
  const outputs = new Set(graph.outputs)
  const frontier = new Map<string, Node>()
  for (const node of foldable) {
    for (const out of node.outputs) {
      if (out === '') continue
      if (outputs.has(out) || readers.get(out)?.some((reader) => !foldable.has(reader))) frontier.set(out, node)
    }
  }
  return frontier
}

function sizeOf(name: string, factOf: FactOf, values: ReadonlyMap<string, Tensor>): number | null {
  const value = values.get(name)
  if (value !== undefined) return tensorBytes(name, value)
  const fact = factOf(name)?.value
  if (fact?.kind !== 'tensor' || !isStatic(fact.shape)) return null
  const bytes = byteSize(fact.dtype, elementCount(fact.shape))
  return bytes === undefined ? null : bytes + 2 * fact.shape.length + name.length + 12
}

/** Shares the bytes of the nodes and constants that would go equally among the values that need them. */
function weigh(
  scope: Scope,
  foldable: ReadonlySet<Node>,
  frontier: ReadonlyMap<string, Node>,
  size: (name: string) => number | null,
): Candidate[] {
  const { graph } = scope
  const makers = producers(graph)
  const readers = consumers(graph)
  const outputs = new Set([...graph.outputs, ...graph.inputs])
  const goes = (name: string) => !outputs.has(name) && readers.get(name)!.every((reader) => foldable.has(reader))

  const cones = new Map([...frontier].map(([name, maker]) => [name, coneOf(maker, makers, foldable)]))
  const sharers = new Map<Node | string, number>()
  for (const { nodes, constants } of cones.values()) {
    for (const item of [...nodes, ...constants]) sharers.set(item, (sharers.get(item) ?? 0) + 1)
  }
  return [...frontier].map(([name, maker]) => {
    const { nodes, constants } = cones.get(name)!
    let gain = 0
    for (const node of nodes) gain += nodeBytes(node) / sharers.get(node)!
    for (const constant of constants) {
      const tensor = graph.constants.get(constant)
      if (tensor && goes(constant)) gain += tensorBytes(constant, tensor) / sharers.get(constant)!
    }
    const isCompressed = [...constants].some((constant) => isNarrow(scope.constant(constant)))
    const wrapped = graph.outputs.includes(name) ? nodeBytes(constantNode(name, null)) : 0
    return { name, maker, isCompressed, growth: (size(name) ?? Number.POSITIVE_INFINITY) + wrapped - gain }
  })
}

/** The Constant node that an output of the graph needs (without its tensor: `null`, for weighing). */
export const constantNode = (name: string, value: Tensor | null): Node => ({
  name: '',
  domain: '',
  op: 'Constant',
  inputs: [],
  outputs: [name],
  attrs: value === null ? {} : { value: { type: 'tensor', value } },
})

function isNarrow(tensor: Tensor | null): boolean {
  if (tensor === null || !isKnownDType(tensor.dtype) || tensor.dtype === 'string' || tensor.dtype === 'bool')
    return false
  return DTYPES[tensor.dtype].bits <= 16 && elementCount(tensor.shape) >= COMPRESSED
}

interface Cone {
  readonly nodes: ReadonlySet<Node>
  readonly constants: ReadonlySet<string>
}

/** What a value is computed from: foldable nodes and the names they read that no foldable node makes. */
function coneOf(top: Node, makers: ReadonlyMap<string, Node>, foldable: ReadonlySet<Node>): Cone {
  const nodes = new Set([top])
  const constants = new Set<string>()
  for (const node of nodes) {
    for (const name of reads(node)) {
      const maker = makers.get(name)
      if (maker !== undefined && foldable.has(maker)) nodes.add(maker)
      else if (name !== '' && maker === undefined) constants.add(name)
    }
  }
  return { nodes, constants }
}

/**
 * Tensors of the values whose content shape inference knows to the last element and bit: content is numbers, which
 * hold integers up to 2^53 (the end of a Slice is often 2^63 - 1).
 */
export function knownContents(scope: Scope, factOf: FactOf): Map<string, Tensor> {
  const known = new Map<string, Tensor>()
  for (const node of scope.graph.nodes) {
    if (node.op === 'Constant') continue
    for (const out of node.outputs) {
      const fact = out === '' ? null : factOf(out)
      if (fact?.value.kind !== 'tensor' || fact.content === undefined || !isStatic(fact.content)) continue
      const { dtype, shape } = fact.value
      if (!isStatic(shape) || elementCount(shape) !== fact.content.length) continue
      if (!fact.content.every((c) => fits(c, dtype))) continue
      if (dtype === 'int64') known.set(out, tensor(dtype, shape, BigInt64Array.from(fact.content, BigInt)))
      if (dtype === 'bool') known.set(out, tensor(dtype, shape, Uint8Array.from(fact.content)))
      if (dtype === 'int32') known.set(out, tensor(dtype, shape, Int32Array.from(fact.content)))
    }
  }
  return known
}
