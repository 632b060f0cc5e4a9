/**
 * Shape inference: facts about every value of every graph of a model, from the op records alone. Subgraphs see the
 * facts around them, model-local functions are expanded at each call, and what a record cannot know is taken from
 * the file. On the way it adds up the products (MACs) of each node.
 */

import type { Feeds } from '../engine/engine.js'
import { describeNode, subgraphs } from '../ir/attrs.js'
import { mapSubgraphs } from '../ir/graphs.js'
import { elementCount } from '../ir/tensor.js'
import type { Attr, Func, Graph, Model, Node, Tensor, Value } from '../ir/types.js'
import { type Call, type Fact, type OpDef, tensorFact } from '../ops/def.js'
import { findOp } from '../ops/index.js'
import { contentOfTensor, malformed } from '../ops/shapes.js'
import { PareError } from '../util/errors.js'
import { type Bindings, bindValue, fillGaps, refine } from './declared.js'
import type { Pass } from './pass.js'
import { isStandard, standardOpset } from './standard-domain.js'
import { type InputShapes, inputBindings } from './with-shapes.js'

export interface FactOptions {
  /** Shapes of inputs, where they are to be fixed further than the file does. Symbols in the file are bound by them. */
  readonly feedShapes?: InputShapes
  /** Inputs of one run: their shapes and small contents are taken as known, and the facts hold for such a run alone. */
  readonly feeds?: Feeds
  /** Numbers for symbolic dimensions, e.g. `{ batch: 1 }`. */
  readonly dims?: Readonly<Record<string, number>>
  /** Take inputs that have a default at that default. Without it their content counts as unknown. */
  readonly useDefaults?: boolean
  /** Types and shapes of values that a real run gave (`shapesFromRun`); they count as stated in the file. */
  readonly measured?: ReadonlyMap<Graph, ReadonlyMap<string, Value>>
}

export interface Facts {
  /** What is known of each value of each graph of the model (not of the bodies of functions). */
  readonly graphs: ReadonlyMap<Graph, ReadonlyMap<string, Fact>>
  /** Products in one run of each node, those of its function body or subgraphs included; null where unknown. */
  readonly macs: ReadonlyMap<Node, number | null>
  /** For nodes with subgraphs: how often those run in one run of the node (null: unknown), or 'one': one of them, once. */
  readonly runs: ReadonlyMap<Node, number | 'one' | null>
  /** Nodes that break their operator's specification, and statements of the file that cannot be true. */
  readonly problems: readonly PareError[]
  /** The same inside branches of an If: no fault where the branch is not taken with these sizes. By the If's name. */
  readonly branchProblems: ReadonlyMap<string, readonly PareError[]>
}

/**
 * What is known of the values of a model. Pure; reads no weights beyond small ones. A malformed node is no error
 * here: its outputs stay as the file states them, and `problems` or `branchProblems` names it (`SHAPE_EFFORT`: nothing was found). Throws `SHAPE_NAME`, `SHAPE_FIXED`,
 * `SHAPE_RANK` or `SHAPE_SIZE` where `feedShapes` or `dims` do not fit the model.
 */
export function factsOf(model: Model, options: FactOptions = {}): Facts {
  const graphs = new Map<Graph, ReadonlyMap<string, Fact>>()
  const macs = new Map<Node, number | null>()
  const runs = new Map<Node, number | 'one' | null>()
  const problems = new Map<string, PareError>()
  const inBranches = new Map<string, Map<string, PareError>>()
  const { feeds = {} } = options
  const fed = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, t.shape]))
  const { values, bound } = inputBindings(model, { ...options.dims, ...options.feedShapes, ...fed })
  const root: Context = {
    functions: new Map(model.functions.map((f) => [functionKey(f.domain, f.name, f.overload), f])),
    opsets: model.opsets,
    bound,
    open: options.useDefaults || model.irVersion < 4 ? new Set() : new Set(model.graph.inputs),
    entered: [],
    measured: (graph) => options.measured?.get(graph),
    record: { graph: (g, f) => graphs.set(g, f), macs: (n, m) => macs.set(n, m), runs: (n, r) => runs.set(n, r) },
    problem: (error) => problems.set(error.message, error),
    branchProblem: (branching, error) => {
      const known = inBranches.get(branching) ?? new Map<string, PareError>()
      inBranches.set(branching, known.set(error.message, error))
    },
    visits: { left: MOST_VISITS + model.graph.nodes.length },
  }
  const inputs = model.graph.inputs.map((name) => {
    const fact = refine(null, values.get(name)).fact
    return Object.hasOwn(feeds, name) ? refine(constantFact(feeds[name]!), fact?.value).fact : fact
  })
  try {
    evaluate(model.graph, inputs, null, root)
  } catch (error) {
    if (root.visits.left >= 0) throw error
  }
  // What was noted of a loop's body before its last evaluation need not be true.
  if (root.visits.left < 0) {
    return { graphs: new Map(), macs: new Map(), runs: new Map(), problems: [tooLong()], branchProblems: new Map() }
  }
  const branchProblems = new Map([...inBranches].map(([name, found]) => [name, [...found.values()]]))
  return { graphs, macs, runs, problems: [...problems.values()], branchProblems }
}

/**
 * Loops in loops and functions that call functions multiply what there is to look at. Beyond this many nodes (a few
 * seconds) inference gives up.
 */
const MOST_VISITS = 250_000

const tooLong = (): PareError =>
  new PareError(
    'SHAPE_EFFORT',
    `loops and functions unfold to more than ${MOST_VISITS} nodes; no shapes were inferred`,
    {
      remedy: 'Nest loops less deep, or write functions out.',
    },
  )

/** Fills the types of values that the file leaves open. It makes the file larger, so it is no part of cleaning. */
export const inferShapesPass: Pass = {
  name: 'infer-shapes',
  run: async (model) => {
    const { graphs } = factsOf(model)
    const fill = (graph: Graph): Graph => {
      const nodes = graph.nodes.map((node) => mapSubgraphs(node, fill))
      const facts = graphs.get(graph)
      const values = facts ? fillValues(graph, facts) : graph.values
      const same = values === graph.values && nodes.every((n, i) => n === graph.nodes[i])
      return same ? graph : { ...graph, nodes, values }
    }
    const graph = fill(model.graph)
    return graph === model.graph ? model : { ...model, graph }
  },
}

function fillValues(graph: Graph, facts: ReadonlyMap<string, Fact>): Graph['values'] {
  const values = new Map(graph.values)
  let changed = false
  for (const [name, fact] of facts) {
    if (graph.constants.has(name) && !graph.values.has(name)) continue
    const next = fillGaps(graph.values.get(name), fact)
    if (next === graph.values.get(name)) continue
    values.set(name, next)
    changed = true
  }
  return changed ? values : graph.values
}

/** What all graphs of one evaluation share. */
interface Context {
  readonly functions: ReadonlyMap<string, Func>
  readonly opsets: ReadonlyMap<string, number>
  readonly bound: Bindings
  /** Inputs of the model whose defaults the caller may replace. */
  readonly open: ReadonlySet<string>
  /** Functions around this place, so that a recursive one is noticed. */
  readonly entered: readonly Func[]
  readonly measured: (graph: Graph) => ReadonlyMap<string, Value> | undefined
  readonly record: {
    graph(graph: Graph, facts: ReadonlyMap<string, Fact>): void
    macs(node: Node, macs: number | null): void
    runs(node: Node, runs: number | 'one' | null): void
  }
  readonly problem: (error: PareError) => void
  /** Takes the name of an If; null inside one, where `problem` speaks of the outermost. */
  readonly branchProblem: ((branching: string, error: PareError) => void) | null
  /** Nodes that may still be looked at. */
  readonly visits: { left: number }
}

/** Names visible in a graph: its own, then those around it. */
interface Scope {
  fact(name: string): Fact | null
  tensor(name: string): Tensor | null
}

interface Evaluated {
  readonly outputs: readonly (Fact | null)[]
  readonly macs: number | null
}

const functionKey = (domain: string, name: string, overload = ''): string => [domain, name, overload].join(':')

/** Longer lists of floats are weights: nothing computes shapes from them. */
const FLOAT_CONTENT = 16

function constantFact(t: Tensor): Fact {
  const readable = !t.dtype.startsWith('float') || elementCount(t.shape) <= FLOAT_CONTENT
  return tensorFact(t.dtype, t.shape, (readable && contentOfTensor(t)) || undefined)
}

/** Walks a graph (or a function's body as one) in order; `given` are facts about its inputs. */
function evaluate(
  graph: Graph,
  given: readonly (Fact | null)[],
  outer: Scope | null,
  ctx: Context,
  tensors = new Map<string, Tensor>(),
): Evaluated {
  const facts = new Map<string, Fact>()
  const own = new Set<string>()
  const isOpen = (name: string): boolean => outer === null && ctx.open.has(name)
  const scope: Scope = {
    fact: (name) => facts.get(name) ?? (own.has(name) ? null : (outer?.fact(name) ?? null)),
    tensor: (name) => tensors.get(name) ?? (own.has(name) ? null : (outer?.tensor(name) ?? null)),
  }
  const measured = ctx.measured(graph)
  const learn = (name: string, inferred: Fact | null, where: string): void => {
    if (name === '') return
    own.add(name)
    const stated = measured?.get(name) ?? graph.values.get(name)
    const { fact, conflict } = refine(inferred, stated && bindValue(stated, ctx.bound))
    if (fact !== null) facts.set(name, fact)
    if (conflict !== undefined) ctx.problem(contradiction(where, name, conflict))
  }
  graph.inputs.forEach((name, i) => {
    learn(name, given[i] ?? null, `input ${name}`)
  })
  for (const [name, t] of graph.constants) {
    own.add(name)
    if (!isOpen(name)) tensors.set(name, t)
    facts.set(name, isOpen(name) ? (facts.get(name) ?? tensorFact(t.dtype, t.shape)) : constantFact(t))
  }
  for (const [name, t] of graph.sparseConstants ?? []) {
    own.add(name)
    facts.set(name, tensorFact(t.values.dtype, t.shape))
  }
  let total: number | null = 0
  for (const node of graph.nodes) {
    const { outputs, macs } = visit(node, scope, ctx)
    node.outputs.forEach((name, i) => {
      learn(name, outputs[i] ?? null, describeNode(node))
    })
    const held = node.op === 'Constant' && node.domain === '' ? node.attrs.value : undefined
    if (held?.type === 'tensor' && node.outputs[0]) tensors.set(node.outputs[0], held.value)
    ctx.record.macs(node, macs)
    total = total === null || macs === null ? null : total + macs
  }
  ctx.record.graph(graph, facts)
  return { outputs: graph.outputs.map((name) => scope.fact(name)), macs: total }
}

/** Facts about a node's outputs, and its products. */
function visit(node: Node, scope: Scope, ctx: Context): Evaluated {
  if (--ctx.visits.left < 0) throw tooLong()
  const inner = new Map<Graph, number | null>()
  const within = isStandard(node.domain) && node.op === 'If' ? inBranchOf(node, ctx) : ctx
  const call: Call = {
    node,
    opset: (isStandard(node.domain) ? standardOpset(ctx.opsets) : ctx.opsets.get(node.domain)) || 1,
    inputs: node.inputs.map((name) => (name === '' ? null : scope.fact(name))),
    constant: (i) => (node.inputs[i] ? scope.tensor(node.inputs[i]) : null),
    subgraph: (graph, inputs) => {
      const { outputs, macs } = evaluate(graph, inputs, scope, within)
      inner.set(graph, macs)
      return outputs
    },
  }
  const def = findOp(node.domain, node.op)
  // The engine takes its own op where it has one, and a function of the model only where it has none.
  const func = def === undefined ? ctx.functions.get(functionKey(node.domain, node.op, node.overload)) : undefined
  if (func !== undefined) return expand(call, func, ctx)
  const outputs = (def && attempt(() => inferNode(def, call), ctx)) ?? node.outputs.map(() => null)
  const macs = def && attempt(() => macsOf(def, call, outputs, inner, ctx), ctx)
  // Graphs that were not looked at (a branch never taken, an op without a record) have facts all the same.
  for (const { graph } of subgraphs(node)) if (!inner.has(graph)) call.subgraph(graph, [])
  return { outputs, macs: macs ?? null }
}

/** What does not fit in a branch is told apart: with other sizes it may be the branch that is taken. */
function inBranchOf(node: Node, ctx: Context): Context {
  const { branchProblem } = ctx
  if (branchProblem === null) return ctx
  return { ...ctx, problem: (error) => branchProblem(describeNode(node), error), branchProblem: null }
}

/** An op whose first parameter takes any number of inputs takes at least one. */
function inferNode(def: OpDef, call: Call): readonly (Fact | null)[] {
  if (def.schema.inputs[0]?.kind === 'variadic' && call.node.inputs.length === 0) {
    throw malformed(describeNode(call.node), 'the node has no inputs')
  }
  return def.infer(call)
}

/** A node's own products and those of its subgraphs, as often as they run. */
function macsOf(
  def: OpDef,
  call: Call,
  outputs: readonly (Fact | null)[],
  inner: ReadonlyMap<Graph, number | null>,
  ctx: Context,
): number | null {
  const own = def.cost === 'none' ? null : (def.cost(call, outputs)?.macs ?? null)
  if (def.runs === undefined) return own
  const runs = def.runs(call)
  ctx.record.runs(call.node, runs)
  const parts = [...inner.values()]
  if (own === null || parts.includes(null)) return null
  const each = (parts as number[]).reduce((a, b) => (runs === 'one' ? Math.max(a, b) : a + b), 0)
  if (each === 0) return own
  return runs === null ? null : own + (runs === 'one' ? each : runs * each)
}

/** The result, or undefined where a record finds the node malformed. */
function attempt<T>(work: () => T, ctx: Context): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof PareError)) throw error
    ctx.problem(error)
    return undefined
  }
}

const contradiction = (where: string, name: string, what: string): PareError =>
  new PareError('SHAPE_CONTRADICTION', `the file contradicts what follows from the graph: ${what}`, {
    where,
    value: name,
    remedy: 'What follows is used. Remove stale value types from the file, or export it again.',
  })

/** A call of a model-local function: its body with the call's attributes and inputs put in. */
function expand(call: Call, func: Func, ctx: Context): Evaluated {
  if (ctx.entered.includes(func)) {
    ctx.problem(
      new PareError('FUNCTION_RECURSIVE', 'a function calls itself', {
        where: describeNode(call.node),
        remedy: 'ONNX functions cannot recurse; export the model again.',
      }),
    )
    return { outputs: call.node.outputs.map(() => null), macs: null }
  }
  const given = { ...func.defaults, ...call.node.attrs }
  const body: Graph = {
    name: func.name,
    inputs: func.inputs,
    outputs: func.outputs,
    nodes: func.nodes.map((node) => resolveRefs(node, given)),
    constants: new Map(),
    values: func.values,
  }
  const tensors = new Map<string, Tensor>()
  func.inputs.forEach((name, i) => {
    const t = call.constant(i)
    if (t !== null) tensors.set(name, t)
  })
  const quiet: Context = {
    ...ctx,
    opsets: new Map([...ctx.opsets, ...func.opsets]),
    open: new Set(),
    entered: [...ctx.entered, func],
    measured: () => undefined,
    record: { graph: () => {}, macs: () => {}, runs: () => {} },
  }
  return evaluate(body, call.inputs, null, quiet, tensors)
}

/** Attributes that refer to the function's are replaced by the call's, or dropped where the call has none. */
function resolveRefs(node: Node, given: Readonly<Record<string, Attr>>): Node {
  const attrs: Record<string, Attr> = {}
  for (const [name, attr] of Object.entries(node.attrs)) {
    const actual = attr.ref === undefined ? attr : Object.hasOwn(given, attr.ref) ? given[attr.ref] : undefined
    if (actual !== undefined) attrs[name] = actual
  }
  return mapSubgraphs({ ...node, attrs }, (graph) => ({
    ...graph,
    nodes: graph.nodes.map((inner) => resolveRefs(inner, given)),
  }))
}
