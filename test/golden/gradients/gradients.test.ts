/** Gradients of whole models against PyTorch's: torch_gradients.py says how the golden numbers came about. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { joined } from '../../../src/autodiff/gradient.js'
import type { Engine } from '../../../src/engine/engine.js'
import { openEngine } from '../../../src/engine/node/open.js'
import { float, int, ints } from '../../../src/ir/attrs.js'
import { type Builder, builder, modelOf } from '../../../src/ir/builder.js'
import { elementCount, f32, i64, numbers, scalar } from '../../../src/ir/tensor.js'
import type { Model, Tensor } from '../../../src/ir/types.js'
import { encodeModel } from '../../../src/onnx/codec.js'
import { crossEntropy } from '../../../src/train/losses/cross-entropy.js'
import { trainingBuilder, trainingPass } from '../../../src/train/pass.js'
import { withUnrolled } from '../../../src/train/unroll.js'

interface Golden {
  readonly loss: number
  readonly gradients: Readonly<Record<string, readonly number[]>>
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'torch-gradients.json'), 'utf8')) as {
  readonly models: Readonly<Record<string, Golden>>
}

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** sin(0.37 i + b) · scale */
const values = (shape: readonly number[], b: number, size = 1): Float64Array =>
  Float64Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(0.37 * i + b) * size)
const wave = (shape: readonly number[], b: number, size = 1): Tensor => f32(shape, values(shape, b, size))

/** Blocks of rows of a weight in another order: PyTorch and ONNX differ in the order of gates. */
function rowBlocks(data: ArrayLike<number>, order: readonly number[]): Float64Array {
  const size = data.length / order.length
  return Float64Array.from({ length: data.length }, (_, i) => data[order[Math.floor(i / size)]! * size + (i % size)]!)
}

interface Built {
  /** The value that holds the scores. */
  readonly scores: string
  /** Order of ONNX's gates among PyTorch's, for the weights of a cell. */
  readonly order?: readonly number[]
}

const MODELS: Readonly<Record<string, (b: Builder) => Built>> = {
  mlp(b) {
    const x = b.constant(wave([6, 5], 0), 'x')
    const w = (name: string, shape: readonly number[], at: number, size: number) => b.constant(wave(shape, at, size), name)
    const hidden = b.op('Gelu', [b.op('Add', [b.op('MatMul', [x, w('w1', [5, 4], 1, 0.5)]), w('b1', [4], 2, 0.1)])])
    return { scores: b.op('Gemm', [hidden, w('w2', [4, 3], 3, 0.5), w('b2', [3], 4, 0.1)]) }
  },
  cnn(b) {
    const x = b.constant(wave([2, 2, 6, 6], 0), 'x')
    const pads = ints([1, 1, 1, 1])
    const conv = b.op('Conv', [x, b.constant(wave([4, 2, 3, 3], 1, 0.3), 'k'), b.constant(wave([4], 2, 0.1), 'kb')], { attrs: { pads } })
    const [s, t] = [b.constant(wave([4], 3), 's'), b.constant(wave([4], 4, 0.1), 't')]
    const statistics = [b.constant(f32([4], [0, 0, 0, 0]), 'mean'), b.constant(f32([4], [1, 1, 1, 1]), 'variance')]
    const norm = b.ops('BatchNormalization', [conv, s, t, ...statistics], { outputs: 3, attrs: { training_mode: int(1), epsilon: float(1e-5) } })[0]!
    const pool = b.op('MaxPool', [b.op('LeakyRelu', [norm], { attrs: { alpha: float(0.1) } })], { attrs: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } })
    const deep = b.op('Conv', [pool, b.constant(wave([4, 1, 3, 3], 5, 0.3), 'd')], { attrs: { pads, group: int(4) } })
    const flat = b.op('Reshape', [b.op('Sigmoid', [deep]), b.constant(i64([2], [2, 36]), 'shape')])
    return { scores: b.op('MatMul', [flat, b.constant(wave([36, 3], 6, 0.2), 'f')]) }
  },
  attention(b) {
    const tokens = b.constant(i64([2, 6], Array.from({ length: 12 }, (_, i) => (i * 5) % 7)), 'tokens')
    const x = b.op('Gather', [b.constant(wave([7, 8], 1, 0.5), 'e'), tokens], { attrs: { axis: int(0) } })
    const norm = b.op('LayerNormalization', [x, b.constant(wave([8], 2), 'g'), b.constant(wave([8], 3, 0.1), 'h')], { attrs: { axis: int(-1) } })
    const all = b.op('Reshape', [b.op('MatMul', [norm, b.constant(wave([8, 24], 4, 0.3), 'qkv')]), b.constant(i64([5], [2, 6, 3, 2, 4]), 'shape')])
    const turned = b.op('Transpose', [all], { attrs: { perm: ints([2, 0, 3, 1, 4]) } })
    const [q, k, v] = [0, 1, 2].map((i) => b.op('Gather', [turned, b.constant(scalar(i, 'int64'), 'part')], { attrs: { axis: int(0) } })) as [string, string, string]
    const mask = b.constant(f32([6, 6], Array.from({ length: 36 }, (_, i) => (i % 6 > Math.floor(i / 6) ? -1e9 : 0))), 'mask')
    const product = b.op('MatMul', [b.op('Div', [q, b.number(2)]), b.op('Transpose', [k], { attrs: { perm: ints([0, 1, 3, 2]) } })])
    const shares = b.op('Softmax', [b.op('Add', [product, mask])], { attrs: { axis: int(-1) } })
    const mixed = b.op('Transpose', [b.op('MatMul', [shares, v])], { attrs: { perm: ints([0, 2, 1, 3]) } })
    const joint = b.op('Reshape', [mixed, b.constant(i64([3], [2, 6, 8]), 'shape')])
    const added = b.op('Add', [x, b.op('MatMul', [joint, b.constant(wave([8, 8], 5, 0.3), 'o')])])
    return { scores: b.op('MatMul', [added, b.constant(wave([8, 5], 6, 0.3), 'v')]) }
  },
  // PyTorch's gates are i, f, c, o; ONNX's i, o, f, c.
  lstm: (b) => cell(b, 'LSTM', [0, 3, 1, 2]),
  // PyTorch's are r, z, n; ONNX's z, r, h.
  gru: (b) => cell(b, 'GRU', [1, 0, 2]),
}

function cell(b: Builder, op: 'LSTM' | 'GRU', order: readonly number[]): Built {
  const rows = order.length * 4
  const part = (shape: readonly number[], at: number): Float64Array => rowBlocks(values(shape, at, 0.5), order)
  const w = b.constant(f32([1, rows, 3], part([rows, 3], 1)), 'w')
  const r = b.constant(f32([1, rows, 4], part([rows, 4], 2)), 'r')
  const bias = b.constant(f32([1, 2 * rows], [...part([rows], 3), ...part([rows], 4)]), 'bias')
  const attrs = { hidden_size: int(4), ...(op === 'GRU' && { linear_before_reset: int(1) }) }
  const last = b.ops(op, [b.constant(wave([5, 2, 3], 0), 'x'), w, r, bias], { outputs: 2, attrs })[1]!
  const state = b.op('Squeeze', [last, b.constant(i64([1], [0]), 'axis')])
  return { scores: b.op('MatMul', [state, b.constant(wave([4, 3], 9, 0.5), 'f')]), order }
}

/** PyTorch's gradients under the names, and in the order, of the ONNX model. */
function wanted(name: string, order?: readonly number[]): Readonly<Record<string, ArrayLike<number>>> {
  const { gradients } = golden.models[name]!
  if (order === undefined) return gradients
  const turned = (key: string) => rowBlocks(gradients[key]!, order)
  return { w: turned('w'), r: turned('r'), bias: [...turned('bw'), ...turned('br')], f: gradients.f! }
}

test.each(Object.keys(MODELS))('%s: loss and every gradient', async (name) => {
  const b = builder()
  const { scores, order } = MODELS[name]!(b)
  b.output(scores)
  const model: Model = withUnrolled(modelOf(b.graph()), 'float32')
  const expected = wanted(name, order)
  const trainable = Object.keys(expected)
  const own = trainingBuilder(model, trainable)
  const pass = trainingPass(own, model, { objectives: [{ output: scores, loss: crossEntropy(), weight: 1 }], trainable })
  const outputs = [pass.loss, ...trainable.map((key) => pass.gradients.get(key)!)]
  const session = await engine.load(encodeModel({ ...model, graph: { ...joined(pass.open, own.graph()), outputs } }).bytes)
  const shape = (pass.open.values.get(pass.targets.get(scores)!) as { readonly shape: readonly number[] }).shape
  const classes = { mlp: 3, cnn: 3, attention: 5, lstm: 3, gru: 3 }[name]!
  const target = i64(shape, Array.from({ length: elementCount(shape) }, (_, i) => i % classes))
  const results = await session.run({
    [pass.targets.get(scores)!]: target,
    ...Object.fromEntries(trainable.map((key) => [key, model.graph.constants.get(key)!])),
  })
  await session.close()
  expect(numbers(results[pass.loss]!)[0]).toBeCloseTo(golden.models[name]!.loss, 5)
  for (const key of trainable) {
    const [got, right] = [numbers(results[pass.gradients.get(key)!]!), expected[key]!]
    expect([key, got.length]).toEqual([key, right.length])
    // A bias before a normalization over the batch has none.
    const size = Math.max(1e-3, ...Array.from(right, Math.abs))
    for (let i = 0; i < right.length; i++) expect(Math.abs(got[i]! - right[i]!) / size).toBeLessThan(1e-4)
  }
})
