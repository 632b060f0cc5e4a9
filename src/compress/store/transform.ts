/** What all ways of storing weights are: a transform over the constants that may be stored. */

import { LEAST_INTEGER } from '../../grids/least.js'
import { subgraphs } from '../../ir/attrs.js'
import { definitions } from '../../ir/edits.js'
import { mapGraphs, nodeKey, withGraph } from '../../ir/graphs.js'
import { elementCount } from '../../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../../ir/types.js'
import { freshNames } from '../../passes/names.js'
import { removeDead } from '../../passes/remove-dead.js'
import { standardOpset } from '../../passes/standard-domain.js'
import { neededInFloat } from '../quantize/needed.js'
import { rewriter, someGraph } from '../quantize/rewrite.js'
import { openRounder, type Rounder, type Rounding } from '../quantize/rounder.js'
import { allFinite } from '../quantize/weights.js'
import type { ParamSpecs, Params, Transform, TransformEnv } from '../transform.js'
import { type ExpandAll, oneByOne } from './expand.js'
import { expandF16 } from './half.js'

/** Elements below which the ops that expand a constant cost more than it saves. */
const LEAST = 128

const common = {
  minElements: {
    kind: 'number',
    default: LEAST as number,
    min: 1,
    max: 1e9,
    doc: 'leave smaller constants alone: the ops that expand them would cost more' as string,
  },
  exclude: { kind: 'names', default: [], doc: 'nodes whose constants stay in float32' },
} as const

/** Of stores of integers. */
const small = {
  kind: 'choice',
  choices: ['float16', 'float32'],
  default: 'float16',
  doc: 'how constants below minElements are kept, from 128 elements on',
  search: { values: [] },
} as const

type Common = typeof common
type StoreParams = Params<Common> & { readonly rounding?: Rounding; readonly small?: 'float16' | 'float32' }

/** What a store may look at before it begins. */
export interface Given {
  readonly model: Model
  readonly env: TransformEnv
}

export interface Store<S extends ParamSpecs> {
  readonly id: string
  readonly summary: string
  /** The first opset that has what `expand` adds. Default 7, from which on Mul broadcasts. */
  readonly opset?: number
  readonly params: S
  /** Default of the parameter of that name. Default 128, or 512 with `leavesHalf`. */
  readonly minElements?: number
  /** It has the parameter `small`. */
  readonly leavesHalf?: boolean
  /** What it can do something for, beside what is finite, large and float32; and what to say where there is none. */
  readonly takes?: { readonly test: (t: Tensor) => boolean; readonly otherwise: string }
  /** `rounder`: by the parameter `rounding`, where the store has it. */
  expand(params: Params<S>, rounder: Rounder, given: Given): ExpandAll | Promise<ExpandAll>
}

export function storeTransform<S extends ParamSpecs>(store: Store<S>): Transform<S & Common> {
  const { id, summary, opset = 7, takes, leavesHalf = false } = store
  const { minElements = leavesHalf ? LEAST_INTEGER : LEAST } = store
  const doc = leavesHalf ? 'smaller constants are kept as `small` says' : common.minElements.doc
  const least: StoreParams = { minElements: leavesHalf ? LEAST : minElements, exclude: [] }
  return {
    id,
    summary,
    params: {
      ...store.params,
      ...common,
      ...(leavesHalf && { small }),
      minElements: { ...common.minElements, default: minElements, doc },
    },
    needsCalibration: false,
    role: 'rounds',
    refuses(model) {
      const given = standardOpset(model.opsets)
      if (given < opset) return `${id} needs opset ${opset}, and the model's is ${given}`
      const has = (test: (t: Tensor) => boolean): boolean =>
        someGraph(model.graph, (graph) => storable(graph, least).some(([, t]) => test(t)))
      if (!has(() => true)) return 'no float32 constants large enough'
      return takes === undefined || has(takes.test) ? null : takes.otherwise
    },
    async apply(model: Model, p: Params<S & Common>, env) {
      const fresh = freshNames(model)
      const which = p as unknown as StoreParams
      const excluded = new Set(which.exclude)
      const rounder = await openRounder(
        model,
        which.rounding ?? 'nearest',
        env,
        ({ node }) => !excluded.has(nodeKey(node)),
      )
      const large = await store.expand(p as unknown as Params<S>, rounder, { model, env })
      const from = which.small === 'float16' ? { ...which, minElements: Math.min(LEAST, which.minElements) } : which
      const graph = mapGraphs(model.graph, (g) => storeGraph(g, from, fresh, { least: which.minElements, large }))
      rounder.report(id)
      return graph === model.graph ? model : removeDead.run(withGraph(model, graph), env)
    },
  }
}

/**
 * Inputs that divide, or whose smallest values count as much as the largest, the scales of integers among them: rounded
 * to the grid of the largest, the smallest would become zero.
 */
const RATIOS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [4],
  DequantizeLinear: [1],
  Div: [1],
  Log: [0],
  Pow: [0, 1],
  QLinearConv: [1, 4, 6],
  QLinearMatMul: [1, 4, 6],
  QuantizeLinear: [1],
  Reciprocal: [0],
  Sqrt: [0],
}
const CONTRIB_RATIOS: Readonly<Record<string, readonly number[]>> = {
  DequantizeLinear: [1],
  DynamicQuantizeLSTM: [8, 10],
  DynamicQuantizeMatMul: [2],
  GatherBlockQuantized: [2],
  MatMulBnb4: [2],
  MatMulIntegerToFloat: [2, 3],
  MatMulNBits: [2],
  QGemm: [1, 4, 7],
  QuantizeLinear: [1],
}
const RATIOS_OF: Readonly<Record<string, typeof RATIOS>> = { '': RATIOS, 'com.microsoft': CONTRIB_RATIOS }

const isRatio = (node: Node, name: string): boolean =>
  RATIOS_OF[node.domain]?.[node.op]?.some((i) => node.inputs[i] === name) ?? false

/** Factors of the scales that DynamicQuantizeLinear finds in each run: scales too. */
function dynamicScales(graph: Graph): ReadonlySet<string> {
  const measured = new Set(graph.nodes.flatMap((n) => (n.op === 'DynamicQuantizeLinear' ? n.outputs.slice(1, 2) : [])))
  return new Set(graph.nodes.flatMap((n) => (n.op === 'Mul' && n.inputs.some((i) => measured.has(i)) ? n.inputs : [])))
}

/** What integers that another store left are multiplied by: on a grid of its own it would spoil theirs. */
function scalesOfStores({ nodes, constants, inputs }: Graph): ReadonlySet<string> {
  const overridable = new Set(inputs)
  const known = new Set([...constants.keys()].filter((name) => !overridable.has(name)))
  const scales = new Set<string>()
  for (const node of nodes) {
    if (node.inputs.length === 0 || !node.inputs.every((name) => known.has(name))) continue
    for (const output of node.outputs) known.add(output)
    const isScaled = node.op === 'Mul' && node.inputs.some((name) => !constants.has(name))
    if (isScaled) for (const name of node.inputs) if (constants.has(name)) scales.add(name)
  }
  return scales
}

/** Large float32 constants that nodes read and that no output or input of the graph names. */
function storable(graph: Graph, p: StoreParams): readonly (readonly [string, Tensor])[] {
  const excluded = new Set(p.exclude)
  const readers = readersWithin(graph)
  const isNeeded = neededInFloat(graph, readers)
  const scales = dynamicScales(graph)
  return [...graph.constants].filter(([name, t]) => {
    if (t.dtype !== 'float32' || elementCount(t.shape) < p.minElements || scales.has(name)) return false
    if (!readers.has(name) || isNeeded(name, (n) => !excluded.has(nodeKey(n)) && !isRatio(n, name))) return false
    return allFinite(t)
  })
}

/** The nodes that read each value of a graph, those in subgraphs among them. */
function readersWithin(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const readers = new Map<string, Node[]>()
  const see = (name: string, node: Node): void => {
    const list = readers.get(name)
    if (list) list.push(node)
    else readers.set(name, [node])
  }
  const visit = (nodes: readonly Node[], hidden: ReadonlySet<string>): void => {
    for (const node of nodes) {
      for (const name of node.inputs) if (!hidden.has(name)) see(name, node)
      for (const { graph: inner } of subgraphs(node)) {
        const own = new Set([...hidden, ...definitions(inner)])
        visit(inner.nodes, own)
      }
    }
  }
  visit(graph.nodes, new Set())
  return readers
}

interface Ways {
  /** Elements from which on a constant is `large`; smaller ones become float16. */
  readonly least: number
  readonly large: ExpandAll
}

function storeGraph(graph: Graph, p: StoreParams, fresh: (hint: string) => string, { least, large }: Ways): Graph {
  const r = rewriter(graph, fresh)
  const all = storable(graph, p)
  const scales = scalesOfStores(graph)
  const isLarge = ([name, t]: (typeof all)[number]): boolean => elementCount(t.shape) >= least && !scales.has(name)
  const others = p.small === 'float32' ? [] : all.filter((one) => !isLarge(one))
  const expanded = [...large(r, all.filter(isLarge)), ...oneByOne(expandF16)(r, others)]
  for (const [name, value] of expanded) r.rename(name, value)
  return expanded.length === 0 ? graph : r.finish()
}
