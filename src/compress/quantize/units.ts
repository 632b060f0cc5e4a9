/**
 * Units: the pieces of a graph that integer kernels can run. A unit is one node, with the Relu or Clip behind it
 * where an integer kernel swallows that too. Only the main graph has units; subgraphs are served by dynamic and
 * storage recipes.
 */

import type { Grid } from '../../grids/affine.js'
import { intAttr } from '../../ir/attrs.js'
import { isFloat } from '../../ir/dtypes.js'
import { consumers } from '../../ir/graphs.js'
import { numbers } from '../../ir/tensor.js'
import type { Graph, Node, Tensor } from '../../ir/types.js'

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

/** Ops that map integers to integers in one kernel; both sides must be on a grid. */
const MAPS: ReadonlySet<string> = new Set([
  'Add',
  'Mul',
  'Concat',
  'AveragePool',
  'GlobalAveragePool',
  'LeakyRelu',
  'Sigmoid',
])

/** Ops that hand elements through unchanged, so that input and output can share one grid. */
const MOVES: ReadonlySet<string> = new Set([
  'MaxPool',
  'Transpose',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Slice',
  'Split',
  'Gather',
  'Resize',
  'DepthToSpace',
  'SpaceToDepth',
])

export function isMove(node: Node): boolean {
  if (node.domain !== '' || !MOVES.has(node.op)) return false
  if (node.op === 'Resize') {
    const mode = node.attrs.mode
    return mode === undefined || (mode.type === 'string' && new TextDecoder().decode(mode.value) === 'nearest')
  }
  return true
}

/** All units of a graph whose node names are unique. */
export function findUnits(graph: Graph): readonly Unit[] {
  const users = consumers(graph)
  const outputs = new Set(graph.outputs)
  const floatConstant = (name: string | undefined): Tensor | undefined => {
    const t = name === undefined || name === '' ? undefined : graph.constants.get(name)
    return t?.dtype === 'float32' ? t : undefined
  }
  return graph.nodes.flatMap((node) => {
    const base = unitOf(node, floatConstant, graph)
    if (base === null) return []
    const own = node.outputs[0]!
    const after = users.get(own)
    const next = after?.length === 1 && !outputs.has(own) ? after[0]! : undefined
    const activation = next !== undefined && isSwallowed(next, graph) ? next : undefined
    return [{ ...base, ...(activation && { activation }), output: activation?.outputs[0] ?? own }]
  })
}

function unitOf(
  node: Node,
  constant: (name: string | undefined) => Tensor | undefined,
  graph: Graph,
): Omit<Unit, 'output' | 'activation'> | null {
  if (node.domain !== '') return null
  const [x, w, b] = node.inputs
  const weight = constant(w)
  const hasBias = b !== undefined && b !== ''
  switch (node.op) {
    case 'Conv': {
      if (weight === undefined || graph.constants.has(x!) || (hasBias && !constant(b))) return null
      const group = intAttr(node, 'group', 1)
      const kind = group > 1 && weight.shape[1] === 1 ? 'depthwise' : 'conv'
      return { node, kind, data: [x!], weight: w!, axis: 0, ...(hasBias && { bias: b }) }
    }
    case 'MatMul':
      if (weight?.shape.length !== 2 || graph.constants.has(x!)) return null
      return { node, kind: 'matmul', data: [x!], weight: w!, axis: 1 }
    case 'Gemm': {
      if (weight === undefined || graph.constants.has(x!) || (hasBias && constant(b)?.shape.length !== 1)) return null
      const plain = intAttr(node, 'transA', 0) === 0 && alphaBetaAreOne(node)
      if (!plain) return null
      return {
        node,
        kind: 'gemm',
        data: [x!],
        weight: w!,
        axis: intAttr(node, 'transB', 0) === 1 ? 0 : 1,
        ...(hasBias && { bias: b }),
      }
    }
    default: {
      if (!MAPS.has(node.op)) return null
      const data = node.inputs.filter((name) => name !== '')
      const usable = data.every((name) => {
        const c = graph.constants.get(name)
        return c === undefined || (isFloat(c.dtype) && c.dtype === 'float32')
      })
      return usable && data.length > 0 ? { node, kind: 'map', data } : null
    }
  }
}

function alphaBetaAreOne(node: Node): boolean {
  return ['alpha', 'beta'].every((name) => {
    const a = node.attrs[name]
    return a === undefined || (a.type === 'float' && a.value === 1)
  })
}

/** Relu, or a Clip from zero: a grid that starts at zero makes them redundant, and the engine drops them. */
function isSwallowed(node: Node, graph: Graph): boolean {
  if (node.domain !== '') return false
  if (node.op === 'Relu') return true
  if (node.op !== 'Clip') return false
  const low = node.inputs[1] === undefined ? undefined : graph.constants.get(node.inputs[1])
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
    names.add(unit.node.outputs[0]!)
  }
  for (const node of graph.nodes) {
    if (isMove(node) && names.has(node.outputs[0]!)) names.add(node.inputs[0]!)
  }
  return [...names]
}
