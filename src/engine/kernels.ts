/**
 * Which operators ONNX Runtime's CPU computes in integers once Q/DQ pairs stand around them, under which conditions,
 * and why a node of a quantized model stayed in float. Found by dumping optimised graphs; `kernels.test.ts` holds
 * each rule against the installed engine.
 */

import { floatAttr, intAttr, stringAttr } from '../ir/attrs.js'
import { consumers, producers } from '../ir/graphs.js'
import { elementCount, floats, numbers } from '../ir/tensor.js'
import type { Graph, Model, Node, Tensor } from '../ir/types.js'

export interface IntegerKernel {
  /** What the engine replaces the node by; the same operator where it moves integers unchanged. */
  readonly becomes: readonly string[]
  /** Every output needs a QuantizeLinear as its only consumer. Otherwise float outputs are possible too. */
  readonly needsOutputQ: boolean
  /** The node only moves elements: scale and zero point behind it must be those before it. */
  readonly sameScale: boolean
}

const computes = (becomes: string, ...more: string[]): IntegerKernel => ({
  becomes: [becomes, ...more],
  needsOutputQ: true,
  sameScale: false,
})
const moves = (op: string): IntegerKernel => ({ becomes: [op], needsOutputQ: true, sameScale: true })

/** By operator of the standard domain. What is not here stays in float between its Q/DQ. */
export const INTEGER_KERNELS: Readonly<Record<string, IntegerKernel>> = {
  Conv: computes('QLinearConv'),
  MatMul: { ...computes('QLinearMatMul', 'MatMulIntegerToFloat', 'QGemm'), needsOutputQ: false },
  Gemm: { ...computes('QGemm'), needsOutputQ: false },
  Add: computes('QLinearAdd'),
  Mul: computes('QLinearMul'),
  Concat: computes('QLinearConcat'),
  Where: computes('QLinearWhere'),
  Sigmoid: computes('QLinearSigmoid'),
  Softmax: computes('QLinearSoftmax'),
  LeakyRelu: computes('QLinearLeakyRelu'),
  AveragePool: computes('QLinearAveragePool'),
  GlobalAveragePool: computes('QLinearGlobalAveragePool'),
  ...Object.fromEntries(
    [
      'DepthToSpace',
      'Expand',
      'Flatten',
      'Gather',
      'GatherElements',
      'MaxPool',
      'Reshape',
      'Resize',
      'Slice',
      'Split',
      'Squeeze',
      'Tile',
      'Transpose',
      'Unsqueeze',
    ].map((op) => [op, moves(op)]),
  ),
}

/** Activations that the engine may fuse into the float operator before them. */
const ACTIVATIONS = new Set(['Relu', 'Clip', 'Sigmoid', 'Tanh', 'LeakyRelu', 'HardSigmoid'])

export interface MissedKernel {
  /** The node's name, or its first output where it has none. */
  readonly node: string
  readonly op: string
  readonly reason: string
}

interface Context {
  readonly graph: Graph
  readonly makers: ReadonlyMap<string, Node>
  readonly readers: ReadonlyMap<string, readonly Node[]>
}

/** Where the time goes: these count as meant for integers as soon as one input is dequantized. */
const HEAVY = new Set(['Conv', 'MatMul', 'Gemm'])

/**
 * The nodes of `quantized` that were meant for integers (Q/DQ pairs around them, or before a Conv, MatMul or Gemm) and
 * yet run in float in `optimized`, the graph that the engine made of it at level `extended`. Nodes in subgraphs are
 * not looked at.
 */
export function missedKernels(quantized: Model, optimized: Model): readonly MissedKernel[] {
  const { graph } = quantized
  const context = { graph, makers: producers(graph), readers: consumers(graph) }
  const left = producers(optimized.graph)
  return graph.nodes
    .filter((node) => isMeant(node, context))
    .filter((node) => floatNames(node, context).some((name) => isFloatKernel(left.get(name), node)))
    .map((node) => ({
      node: node.name === '' ? (node.outputs[0] ?? '?') : node.name,
      op: node.op,
      reason: why(node, context),
    }))
}

export const isQ = (node: Node | undefined): boolean => node?.op === 'QuantizeLinear'
export const isDQ = (node: Node | undefined): boolean => node?.op === 'DequantizeLinear'

/** The axis of a DequantizeLinear's scales, counted from the front; null for one scale or an unknown weight. */
export function channelAxis(dq: Node | undefined, { constants }: Graph): number | null {
  if (dq === undefined || !isDQ(dq)) return null
  const rank = constants.get(dq.inputs[0] ?? '')?.shape.length
  const scales = constants.get(dq.inputs[1] ?? '')
  if (rank === undefined || scales === undefined || elementCount(scales.shape) === 1) return null
  const axis = intAttr(dq, 'axis', 1)
  return axis < 0 ? axis + rank : axis
}

/**
 * Whether the scale of a quantized bias is that of input and weight multiplied, as integer kernels take it to be; true
 * where the scales are not constants, or the bias is not quantized.
 */
export function isBiasScaled(x?: Node, w?: Node, bias?: Node, graph?: Graph): boolean {
  const scales = [x, w, bias].map((dq) => (isDQ(dq) ? graph?.constants.get(dq?.inputs[1] ?? '') : undefined))
  const [sx, sw, sb] = scales.map((t) => (t === undefined ? undefined : numbers(t)))
  if (sx === undefined || sw === undefined || sb === undefined) return true
  const at = (values: ArrayLike<number>, i: number) => values[values.length === 1 ? 0 : i] ?? Number.NaN
  const channels = Math.max(sw.length, sb.length)
  for (let i = 0; i < channels; i++) {
    const expected = at(sx, 0) * at(sw, i)
    if (!(Math.abs(at(sb, i) - expected) <= 1e-5 * expected)) return false
  }
  return true
}

function isMeant(node: Node, context: Context): boolean {
  if (isQ(node) || isDQ(node) || !node.inputs.some((name) => isDQ(context.makers.get(name)))) return false
  return HEAVY.has(node.op) || floatNames(node, context).some((name) => context.readers.get(name)?.some(isQ))
}

/** Names under which the node's float result is found: its outputs and those of what the engine may fuse behind it. */
function floatNames(node: Node, { graph, readers }: Context): readonly string[] {
  const names = node.outputs.filter((name) => name !== '')
  const behind = names.length === 1 ? (readers.get(names[0]!) ?? []) : []
  const [next] = behind
  if (behind.length !== 1 || next === undefined || graph.outputs.includes(names[0]!)) return names
  const fuses = ACTIVATIONS.has(next.op) || (node.op === 'MatMul' && next.op === 'Add')
  return fuses ? [...names, ...next.outputs] : names
}

/** Whether what makes the float value now computes in float. */
function isFloatKernel(maker: Node | undefined, node: Node): boolean {
  if (maker === undefined || isDQ(maker) || isQ(maker)) return false
  const kernel = INTEGER_KERNELS[node.op]
  if (kernel === undefined || kernel.sameScale) return true
  return !kernel.becomes.includes(maker.op)
}

function why(node: Node, context: Context): string {
  const kernel = node.domain === '' ? INTEGER_KERNELS[node.op] : undefined
  if (kernel === undefined) return 'the engine has no integer kernel for this operator'
  return (
    ofOperator(node, context) ??
    ofInputs(node, context) ??
    ofOutput(node, kernel, context) ??
    (kernel.sameScale ? ofScales(node, context) : null) ??
    'the conditions known to pare hold; the engine left it in float all the same'
  )
}

function ofOperator(node: Node, context: Context): string | null {
  if (node.op === 'Conv') {
    const [x, w, bias] = node.inputs.map((name) => context.makers.get(name))
    return isBiasScaled(x, w, bias, context.graph)
      ? null
      : "the bias's scale is not that of input and weight multiplied"
  }
  if (node.op === 'Resize' && stringAttr(node, 'mode', 'nearest') !== 'nearest')
    return 'only mode nearest moves integers'
  if (node.op !== 'Gemm') return null
  const [alpha, beta] = [floatAttr(node, 'alpha', 1), floatAttr(node, 'beta', 1)]
  if (alpha !== 1 || (beta !== 1 && node.inputs.length > 2)) return 'alpha and beta of Gemm must be 1'
  const axis = channelAxis(context.makers.get(node.inputs[1]!), context.graph)
  const wanted = intAttr(node, 'transB', 0) === 1 ? 0 : 1
  return axis === null || axis === wanted
    ? null
    : `weights are quantized along axis ${axis}, the kernel takes axis ${wanted}`
}

function ofInputs(node: Node, { graph, makers }: Context): string | null {
  const inputs = INTEGER_KERNELS[node.op]?.sameScale ? node.inputs.slice(0, 1) : node.inputs
  for (const [i, name] of inputs.entries()) {
    const maker = makers.get(name)
    const mayBeFloat = (node.op === 'Where' && i === 0) || ((node.op === 'Conv' || node.op === 'Gemm') && i === 2)
    if (name === '' || mayBeFloat) continue
    if (!isDQ(maker)) return `input ${name} is not dequantized`
    const type = graph.constants.get(maker?.inputs[2] ?? '')?.dtype
    if (type === 'uint16' || type === 'int16') return `input ${name} is quantized to 16 bits`
  }
  return null
}

function ofOutput(node: Node, { needsOutputQ }: IntegerKernel, context: Context): string | null {
  const { graph, readers } = context
  const floatBias = node.op === 'Gemm' && node.inputs[2] !== undefined && !isDQ(context.makers.get(node.inputs[2]))
  for (const name of node.outputs) {
    if (name === '') continue
    const behind = readers.get(name) ?? []
    if (graph.outputs.includes(name)) {
      if (needsOutputQ) return `its float output ${name} is an output of the model`
      if (floatBias) return 'a float bias needs a QuantizeLinear on the output'
      continue
    }
    const [next] = behind
    if (behind.every(isQ) && behind.length === 1) continue
    const activation = behind.length === 1 && next !== undefined ? ofActivation(next, context) : null
    if (activation !== null) return activation
    if (behind.length === 1 && node.op === 'MatMul' && next?.op === 'Add') {
      const after = readers.get(next.outputs[0]!) ?? []
      if (!(after.length === 1 && isQ(after[0])))
        return 'the Add of its bias needs a QuantizeLinear as its only consumer'
      continue
    }
    if (!needsOutputQ && !floatBias) continue
    if (floatBias && !behind.some(isQ)) return 'a float bias needs a QuantizeLinear on the output'
    if (behind.length > 1) return `its output has ${behind.length} consumers, and only one QuantizeLinear is allowed`
    if (next === undefined || !ACTIVATIONS.has(next.op)) return 'no QuantizeLinear on its output'
  }
  return null
}

/** What is wrong with an activation between the node and its Q; null where the Q makes it redundant, or there is none. */
function ofActivation(next: Node, { graph, readers }: Context): string | null {
  if (next.op !== 'Relu' && next.op !== 'Clip') {
    return ACTIVATIONS.has(next.op)
      ? `${next.op} stands between it and the QuantizeLinear: put Q and DQ before it`
      : null
  }
  const behind = readers.get(next.outputs[0]!) ?? []
  const [q] = behind
  if (behind.length !== 1 || q === undefined || !isQ(q))
    return `the ${next.op} behind it needs a QuantizeLinear as its only consumer`
  const range = rangeOf(q, graph)
  if (range === null) return null
  const lower = next.op === 'Relu' ? 0 : scalarOf(next, 1, 'min', graph)
  const upper = next.op === 'Relu' ? Number.POSITIVE_INFINITY : scalarOf(next, 2, 'max', graph)
  const slack = 1e-5 * (range.high - range.low)
  if (range.low < lower - slack) {
    return `zero point ${range.zeroPoint} before ${next.op}: with uint8 use 0, with int8 −128, so that the ${next.op} is redundant`
  }
  if (range.high > upper + slack)
    return `the QuantizeLinear reaches ${range.high.toPrecision(4)}, beyond the ${next.op}'s ${upper}`
  return null
}

function rangeOf(q: Node, { constants }: Graph) {
  const scale = constants.get(q.inputs[1] ?? '')
  const zero = constants.get(q.inputs[2] ?? '')
  if (scale === undefined) return null
  const s = floats(scale)[0] ?? 0
  const zeroPoint = zero === undefined ? 0 : (numbers(zero)[0] ?? 0)
  const [min, max] = zero?.dtype === 'int8' ? [-128, 127] : [0, 255]
  return { low: (min - zeroPoint) * s, high: (max - zeroPoint) * s, zeroPoint }
}

function scalarOf(node: Node, input: number, attr: string, { constants }: Graph): number {
  const t = constants.get(node.inputs[input] ?? '')
  const none = attr === 'min' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return t === undefined ? floatAttr(node, attr, none) : (numbers(t)[0] ?? none)
}

function ofScales(node: Node, { graph, makers, readers }: Context): string | null {
  const before = makers.get(node.inputs[0]!)
  for (const name of node.outputs) {
    const q = (readers.get(name) ?? [])[0]
    if (before === undefined || q === undefined) continue
    const differ = [1, 2].some((i) => !sameConstant(before.inputs[i], q.inputs[i], graph))
    if (differ) return 'scale and zero point behind it differ from those before it'
  }
  return null
}

function sameConstant(a: string | undefined, b: string | undefined, { constants }: Graph): boolean {
  if (a === b) return true
  const values = (t: Tensor | undefined) => (t === undefined ? [0] : [...numbers(t)])
  const [x, y] = [values(constants.get(a ?? '')), values(constants.get(b ?? ''))]
  return x.length === y.length && x.every((v, i) => v === y[i])
}
