/**
 * Shapes read off a real run, for what the op records cannot know: the model is run once with the values in question
 * as further outputs. Values inside the branches of an If are handed out through it; those inside loops are not.
 */

import type { Engine, Feeds } from '../engine/engine.js'
import { isKnownDType } from '../ir/dtypes.js'
import { elements, i64, tensorOfBytes } from '../ir/tensor.js'
import type { Attr, Dim, DType, Graph, Model, Node, Tensor, TensorValue } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { Fact } from '../ops/def.js'
import { constantNode } from './fold-plan.js'
import { type Facts, factsOf } from './infer-shapes.js'
import { freshNames } from './names.js'

export type Measured = ReadonlyMap<Graph, ReadonlyMap<string, TensorValue>>

export interface ShapeRunOptions {
  /** `missing` (the default): values whose type or shape inference does not fully know for these feeds. */
  readonly values?: 'missing' | 'all'
  readonly signal?: AbortSignal
}

/**
 * Types and concrete shapes of values in one run on `feeds`, the engine's optimisation off. Values that are not
 * tensors, and those in branches that the run did not take, are left out. Nothing is run where nothing is missing.
 * Hand the result to `factsOf` as `measured`. Errors are the engine's.
 */
export async function shapesFromRun(
  model: Model,
  feeds: Feeds,
  engine: Engine,
  { values = 'missing', signal }: ShapeRunOptions = {},
): Promise<Measured> {
  const facts = factsOf(model, { feeds, useDefaults: true })
  const fresh = freshNames(model)
  const { graph, probes } = expose(model.graph, {
    facts,
    all: values === 'all',
    fresh: (hint) => fresh(`${hint}_probe`),
  })
  if (probes.length === 0) return new Map()
  const outputs = new Set(probes.flatMap((p) => (p.guard ? [p.output, p.guard.output] : [p.output])))
  const session = await engine.load(encodeModel({ ...model, graph }).bytes, {
    optimization: 'off',
    ...(signal && { signal }),
  })
  try {
    const tensors = session.outputs.flatMap(({ name, shape }) => (outputs.has(name) && shape ? [name] : []))
    const results = await session.run(feeds, { outputs: tensors, ...(signal && { signal }) })
    return read(probes, results)
  } finally {
    await session.close()
  }
}

/** Where a value of some graph comes out of the model, and which branch must have been taken for it to be the value. */
interface Probe {
  readonly graph: Graph
  readonly value: string
  readonly output: string
  readonly dtype: DType
  readonly guard?: { readonly output: string; readonly branch: number }
}

interface Exposing {
  readonly facts: Facts
  readonly all: boolean
  fresh(hint: string): string
}

interface Exposed {
  readonly graph: Graph
  readonly probes: readonly Probe[]
}

const known = (fact: Fact | undefined): boolean =>
  fact?.value.kind === 'tensor' &&
  fact.value.dtype !== 'undefined' &&
  (fact.value.shape?.every((d) => typeof d === 'number') ?? false)

/** The graph with the values in question added to its outputs. */
function expose(graph: Graph, x: Exposing): Exposed {
  const facts = x.facts.graphs.get(graph)
  const probes: Probe[] = []
  const nodes = graph.nodes.map((node) => {
    for (const value of node.outputs) {
      const fact = facts?.get(value)
      const tensor = fact === undefined || fact.value.kind === 'tensor'
      const dtype = fact?.value.kind === 'tensor' ? fact.value.dtype : 'undefined'
      if (value !== '' && tensor && (x.all || !known(fact))) probes.push({ graph, value, output: value, dtype })
    }
    if (node.op !== 'If' || node.domain !== '') return node
    const inner = exposeBranches(node, facts?.get(node.inputs[0] ?? '')?.content?.[0] ?? null, x)
    probes.push(...inner.probes)
    return inner.node
  })
  if (probes.length === 0) return { graph, probes }
  const seen = new Set(graph.outputs)
  const added = [...new Set(probes.flatMap((p) => (p.guard ? [p.output, p.guard.output] : [p.output])))].filter(
    (name) => !seen.has(name),
  )
  return { graph: { ...graph, nodes, outputs: [...graph.outputs, ...added] }, probes }
}

/**
 * An If whose branches hand out their values: each branch gives the values of the other as empty tensors of the same
 * type, and one more output says which branch ran. A branch that a known condition leaves aside is not asked.
 */
function exposeBranches(
  node: Node,
  condition: Dim,
  x: Exposing,
): { readonly node: Node; readonly probes: readonly Probe[] } {
  const sides = ['then_branch', 'else_branch'].map((attr) => {
    const branch = node.attrs[attr]
    if (branch?.type !== 'graph') return null
    const skipped = condition !== null && (condition === 0) === (attr === 'then_branch')
    return { attr, before: branch.value, ...(skipped ? { graph: branch.value, probes: [] } : expose(branch.value, x)) }
  })
  if (!sides.every((s) => s !== null) || sides.every((s) => s.probes.length === 0)) return { node, probes: [] }
  const marker = x.fresh('branch')
  const probes: Probe[] = []
  const outputs = [...node.outputs, marker]
  const branches = sides.map((s, i) => {
    const own = s.before.outputs
    return { ...s, outputs: [...own], nodes: [...s.graph.nodes, constantNode(x.fresh('branch'), i64([1], [i + 1]))] }
  })
  for (const b of branches) b.outputs.push(b.nodes.at(-1)!.outputs[0]!)
  for (const [i, side] of branches.entries()) {
    const other = branches[1 - i]!
    const lifted = new Map<string, string>()
    const lift = (name: string, dtype: DType): string => {
      const before = lifted.get(name)
      if (before !== undefined) return before
      const at = side.before.outputs.indexOf(name)
      const outer = at >= 0 && node.outputs[at] ? node.outputs[at] : x.fresh(name)
      lifted.set(name, outer)
      if (outputs.includes(outer)) return outer
      outputs.push(outer)
      side.outputs.push(name)
      const empty = constantNode(x.fresh('empty'), emptyTensor(dtype))
      other.nodes.push(empty)
      other.outputs.push(empty.outputs[0]!)
      return outer
    }
    for (const p of side.probes) {
      if (!isKnownDType(p.dtype) || p.dtype === 'string') continue
      const guard = p.guard
        ? { output: lift(p.guard.output, 'int64'), branch: p.guard.branch }
        : { output: marker, branch: i + 1 }
      probes.push({ ...p, output: lift(p.output, p.dtype), guard })
    }
  }
  const attrs: Record<string, Attr> = { ...node.attrs }
  for (const b of branches) {
    const value = { ...b.graph, nodes: b.nodes, outputs: b.outputs }
    attrs[b.attr] = { type: 'graph', value }
  }
  return { node: { ...node, outputs, attrs }, probes }
}

const emptyTensor = (dtype: DType): Tensor => tensorOfBytes(dtype, [0], new Uint8Array(0))

function read(probes: readonly Probe[], results: Readonly<Record<string, Tensor>>): Measured {
  const measured = new Map<Graph, Map<string, TensorValue>>()
  for (const { graph, value, output, guard } of probes) {
    const tensor = results[output]
    const branch = guard && results[guard.output] ? Number(elements(results[guard.output]!)[0] ?? 0) : 0
    if (tensor === undefined || (guard && branch !== guard.branch)) continue
    const values = measured.get(graph) ?? new Map<string, TensorValue>()
    values.set(value, { kind: 'tensor', dtype: tensor.dtype, shape: tensor.shape })
    measured.set(graph, values)
  }
  return measured
}
