/**
 * Quantization-aware training (Jacob et al. 2018): in the forward pass weights and activations are rounded to the grid
 * that they will be stored on, in the backward pass gradients go straight through the rounding (Bengio et al. 2013).
 * A rounded value is x + (q(x) − x), whose second part is held to be constant.
 */

import { joined } from '../autodiff/gradient.js'
import { int, intAttr, ints } from '../ir/attrs.js'
import { type Builder, builder, type FloatType } from '../ir/builder.js'
import { allNames } from '../ir/graphs.js'
import { elementCount, i64 } from '../ir/tensor.js'
import type { Model, Node } from '../ir/types.js'
import { findOp } from '../ops/index.js'
import { PareError } from '../util/errors.js'

/** `int8`: weights a channel, activations a batch. `int4`: weights of products in blocks, other weights as int8. */
export type TrainedGrid = 'int8' | 'int4'

export interface FakeQuantized {
  readonly model: Model
  /** Values that no gradient goes back through. */
  readonly detached: ReadonlySet<string>
}

/** Elements of a block of 4-bit weights: what MatMulNBits takes by default. */
const BLOCK = 32

/**
 * The model, whose shapes are fixed, with the weights that are trained on their grid, and for `int8` what meets them.
 * Throws `TRAIN_GRID` where there is none.
 */
export function withFakeQuantization(
  model: Model,
  trainable: readonly string[],
  grid: TrainedGrid,
  float: FloatType,
): FakeQuantized {
  const { graph } = model
  const trained = new Set(trainable)
  const b = builder(allNames(graph), float)
  const added = b.graph()
  const detached = new Set<string>()
  const known = new Map<string, string>()

  /** x + (q − x) with the second part constant; once for each value and grid. */
  const rounded = (name: string, how: string, quantized: (x: string) => string): string => {
    const key = `${how} ${name}`
    const before = known.get(key)
    if (before !== undefined) return before
    const error = b.op('Sub', [quantized(name), name])
    detached.add(error)
    const value = b.op('Add', [name, error])
    known.set(key, value)
    return value
  }

  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const quant = node.domain === '' ? findOp('', node.op)?.quant : undefined
    if (quant === undefined || quant === 'none' || quant.kind !== 'weighted') return [node]
    const weight = quant.weights.find((i) => trained.has(node.inputs[i] ?? ''))
    if (weight === undefined) return [node]
    const at = added.nodes.length
    const name = node.inputs[weight]!
    const { shape } = graph.constants.get(name)!
    const axis = quant.channelAxis({ node, inputs: node.inputs.map(() => null) }, weight)
    const isProduct = (node.op === 'MatMul' || node.op === 'Gemm') && shape.length === 2 && weight === 1
    const transposed = node.op === 'Gemm' && intAttr(node, 'transB', 0) !== 0
    const inBlocks = grid === 'int4' && isProduct
    const how = inBlocks ? `blocks ${transposed}` : `channels ${axis}`
    const inputs = node.inputs.map((input, i) => {
      if (i === weight)
        return rounded(input, how, (w) =>
          inBlocks ? onBlocks(b, w, shape, transposed) : onChannels(b, w, shape, axis),
        )
      const isData = grid === 'int8' && quant.data.includes(i) && !graph.constants.has(input)
      return isData ? rounded(input, 'batch', (x) => onBatch(b, x)) : input
    })
    return [...added.nodes.slice(at), { ...node, inputs }]
  })
  if (detached.size === 0) throw nothingToRound(grid)
  const whole = joined({ ...graph, nodes: [] }, added)
  return { model: { ...model, graph: { ...whole, nodes } }, detached }
}

const nothingToRound = (grid: TrainedGrid): PareError =>
  new PareError('TRAIN_GRID', 'no weight that is trained can be rounded', {
    value: grid,
    remedy:
      'Rounded are weights of Conv, MatMul and Gemm that stand right before them: clean the model first, or leave this out.',
  })

/** Round(x / s) s; where s is 0 all of x is 0. */
function onGrid(b: Builder, x: string, scale: string, limits?: readonly [number, number]): string {
  const safe = b.op('Where', [b.op('Equal', [scale, b.number(0)]), b.number(1), scale])
  const whole = b.op('Round', [b.op('Div', [x, safe])])
  const clipped = limits === undefined ? whole : b.op('Clip', [whole, b.number(limits[0]), b.number(limits[1])])
  return b.op('Mul', [clipped, safe])
}

/** s = max |w| / 127, of each channel or of all. */
function onChannels(b: Builder, w: string, shape: readonly number[], axis: number | null): string {
  const own = axis === null ? null : (axis + shape.length) % shape.length
  const others = shape.flatMap((_, i) => (i === own ? [] : [i]))
  const sizes = b.op('Abs', [w])
  const peak =
    others.length === 0 ? sizes : b.op('ReduceMax', [sizes, list(b, others)], { attrs: { keepdims: int(1) } })
  return onGrid(b, w, b.op('Div', [peak, b.number(127)]))
}

/** s = (max − min) / 255 over the batch, 0 being on the grid. */
function onBatch(b: Builder, x: string): string {
  const end = (op: 'Max' | 'Min'): string =>
    b.op(op, [b.op(`Reduce${op}`, [x], { attrs: { keepdims: int(0) } }), b.number(0)])
  return onGrid(b, x, b.op('Div', [b.op('Sub', [end('Max'), end('Min')]), b.number(255)]))
}

/** Blocks along the inputs of a product; the element of largest magnitude becomes −8. */
function onBlocks(b: Builder, w: string, shape: readonly number[], transposed: boolean): string {
  const turn = (x: string): string => (transposed ? x : b.op('Transpose', [x], { attrs: { perm: ints([1, 0]) } }))
  const [depth, columns] = transposed ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!]
  const blocks = Math.ceil(depth / BLOCK)
  const missing = blocks * BLOCK - depth
  const rows = turn(w)
  const padded = missing === 0 ? rows : b.op('Pad', [rows, list(b, [0, 0, 0, missing])])
  const parts = b.op('Reshape', [padded, list(b, [columns, blocks, BLOCK])])
  const end = (op: string): string => b.op(op, [parts, list(b, [2])], { attrs: { keepdims: int(1) } })
  const [high, low] = [end('ReduceMax'), end('ReduceMin')]
  const peak = b.op('Where', [b.op('Greater', [high, b.op('Neg', [low])]), high, low])
  const q = onGrid(b, parts, b.op('Div', [peak, b.number(-8)]), [-8, 7])
  const flat = b.op('Reshape', [q, list(b, [columns, blocks * BLOCK])])
  const cut = missing === 0 ? flat : b.op('Slice', [flat, list(b, [0]), list(b, [depth]), list(b, [1])])
  return elementCount(shape) === 0 ? w : turn(cut)
}

const list = (b: Builder, values: readonly number[]): string => b.constant(i64([values.length], values), 'list')
