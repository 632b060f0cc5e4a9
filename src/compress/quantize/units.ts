/**
 * Units: the pieces of a graph that integer kernels can run. A unit is one node, with the Relu or Clip behind it
 * where an integer kernel swallows that too. Only the main graph has units; subgraphs are served by dynamic and
 * storage recipes.
 */

import { INTEGER_KERNELS } from '../../engine/kernels.js'
import type { Grid } from '../../grids/affine.js'
import { intAttr } from '../../ir/attrs.js'
import { consumers } from '../../ir/graphs.js'
import { numbers } from '../../ir/tensor.js'
import type { Graph, Node, Tensor } from '../../ir/types.js'
import { dataInputs, quantRule } from '../../ops/def.js'
import { findOp } from '../../ops/index.js'
import { isPlainGemm } from './products.js'

export type UnitKind = 'conv' | 'depthwise' | 'matmul' | 'gemm' | 'map'

export interface Unit {
  readonly node: Node
  readonly kind: UnitKind
  /** Names of the activations that enter. */
  readonly data: readonly string[]
  readonly weight?: string
  readonly bias?: string
  /** Axis of output channels in the weight. */
  readonly axis?: number
  /** The Relu or Clip that the kernel swallows. */
  readonly activation?: Node
  /** The value that leaves: the activation's output where there is one. */
  readonly output: string
}

/** Grids by value name. */
export type Grids = ReadonlyMap<string, Grid>

/** Elements pass through unchanged, and the engine has an integer kernel for it: input and output share one grid. */
export function isMove(node: Node): boolean {
  if (node.domain !== '' || INTEGER_KERNELS[node.op]?.sameScale !== true) return false
  const def = findOp(node.domain, node.op)
  const rule = def === undefined ? 'none' : quantRule(def, node)
  return rule !== 'none' && rule.kind === 'move'
}

/** All units of a graph. */
export function findUnits(graph: Graph): readonly Unit[] {
  const users = consumers(graph)
  const outputs = new Set(graph.outputs)
  const overridable = new Set(graph.inputs)
  const floatConstant = (name: string | undefined): Tensor | undefined => {
    const t = name === undefined || name === '' || overridable.has(name) ? undefined : graph.constants.get(name)
    return t?.dtype === 'float32' ? t : undefined
  }
  return graph.nodes.flatMap((node) => {
    const base = unitOf(node, graph, floatConstant)
    if (base === null) return []
    const own = node.outputs[0]!
    const after = users.get(own)
    const next = after?.length === 1 && !outputs.has(own) ? after[0]! : undefined
    const activation = next !== undefined && isSwallowed(next, graph) ? next : undefined
    return [{ ...base, ...(activation && { activation }), output: activation?.outputs[0] ?? own }]
  })
}

type Core = Omit<Unit, 'output' | 'activation'>
type Lookup = (name: string | undefined) => Tensor | undefined

function unitOf(node: Node, graph: Graph, constant: Lookup): Core | null {
  const kernel = node.domain === '' ? INTEGER_KERNELS[node.op] : undefined
  const def = findOp(node.domain, node.op)
  if (kernel === undefined || kernel.sameScale || def === undefined) return null
  const rule = quantRule(def, node)
  if (rule === 'none') return null
  return rule.kind === 'weighted'
    ? weightedUnit(node, graph, constant)
    : mapUnit(node, dataInputs(def, node, rule), graph, constant)
}

/** Integer kernels take plain products only: constant weight and bias, no transposed input, no scaling. */
function weightedUnit(node: Node, graph: Graph, constant: Lookup): Core | null {
  const [x, w, b] = node.inputs
  const weight = constant(w)
  if (weight === undefined || x === undefined || graph.constants.has(x)) return null
  const hasBias = b !== undefined && b !== ''
  const base = { node, data: [x], weight: w!, ...(hasBias && { bias: b }) }
  // One element for each output channel: a bias that Gemm broadcasts has no integer form.
  const fits = (axis: number): boolean => {
    const shape = hasBias ? constant(b)?.shape : [weight.shape[axis]]
    return shape?.length === 1 && shape[0] === weight.shape[axis]
  }
  switch (node.op) {
    case 'Conv':
      return fits(0) ? { ...base, kind: isDepthwise(node, weight) ? 'depthwise' : 'conv', axis: 0 } : null
    case 'MatMul':
      return weight.shape.length === 2 ? { ...base, kind: 'matmul', axis: 1 } : null
    case 'Gemm': {
      const axis = intAttr(node, 'transB', 0) === 1 ? 0 : 1
      return isPlainGemm(node) && fits(axis) ? { ...base, kind: 'gemm', axis } : null
    }
    default:
      return null
  }
}

/** One filter a channel: of several the engine makes no depthwise kernel but a product for each channel. */
function isDepthwise(node: Node, { shape }: Tensor): boolean {
  const groups = intAttr(node, 'group', 1)
  return groups > 1 && shape[1] === 1 && shape[0] === groups
}

/** Where's condition and the like are not data: every data input must be an activation or a float constant. */
function mapUnit(node: Node, inputs: readonly number[], graph: Graph, constant: Lookup): Core | null {
  const data = inputs.map((i) => node.inputs[i]!)
  const all = node.inputs.filter((name) => name !== '')
  if (data.length === 0 || data.length !== all.length) return null
  return data.every((name) => !graph.constants.has(name) || constant(name) !== undefined)
    ? { node, kind: 'map', data }
    : null
}

/** Relu, or a Clip from zero: a grid that starts at zero makes them redundant, and the engine drops them. */
function isSwallowed(node: Node, graph: Graph): boolean {
  if (node.domain !== '') return false
  if (node.op === 'Relu') return true
  if (node.op !== 'Clip') return false
  const low = graph.constants.get(node.inputs[1] ?? '')
  const high = node.inputs[2]
  if (low === undefined || numbers(low)[0] !== 0) return false
  return high === undefined || high === '' || graph.constants.has(high)
}

/** Every value whose range some recipe may need: what enters and leaves the units, and what moves carry between. */
export function calibrationTargets(graph: Graph, units: readonly Unit[]): readonly string[] {
  const names = new Set<string>()
  for (const unit of units) {
    for (const name of unit.data) if (!graph.constants.has(name)) names.add(name)
    names.add(unit.output)
  }
  for (const node of graph.nodes.toReversed()) {
    if (isMove(node) && names.has(node.outputs[0]!) && !graph.constants.has(node.inputs[0]!)) names.add(node.inputs[0]!)
  }
  return [...names]
}
