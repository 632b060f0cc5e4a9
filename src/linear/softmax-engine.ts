/**
 * The loss of softmax over all rows and its gradient, in one graph on the engine that holds X: coefficients go in, and
 * nothing of the size of the rows ever comes out.
 */

import type { Engine } from '../engine/engine.js'
import { int } from '../ir/attrs.js'
import { builder, type FloatType, modelOf } from '../ir/builder.js'
import { codeOfDType } from '../ir/dtypes.js'
import { floatTensor, i64, numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { Evaluation, Objective } from './objective.js'
import type { Coefficients, TiledRows } from './rows.js'

export interface SoftmaxEngine {
  /** Right to the digits of its precision. */
  evaluate(point: Coefficients): Promise<Evaluation>
  close(): Promise<void>
}

/** Multiplications of one product from which on the engine is worth its way; bytes that a model can hold. */
const LEAST = 1e6
const MOST = 2 ** 30

/** Null where X is too small for the engine to be worth its way, or too large for a model that holds it. */
export async function openSoftmax(
  engine: Engine,
  objective: Objective,
  precision: FloatType,
): Promise<SoftmaxEngine | null> {
  const { rows, datafit } = objective
  const [n, p, outputs] = [rows.tiles.rows, rows.x.columns, datafit.outputs]
  if (n * p * outputs < LEAST || n * p * (precision === 'float32' ? 4 : 8) > MOST) return null
  const session = await engine.load(encodeModel(softmaxModel(objective, precision)).bytes)
  return {
    async evaluate({ beta, intercepts }) {
      const found = await session.run({
        beta: floatTensor(precision, [outputs, p], beta),
        intercepts: floatTensor(precision, [outputs, 1], intercepts),
      })
      const mean = (name: string): Float64Array => new Float64Array(numbers(found[name]!)).map((v) => v / n)
      return { loss: mean('loss')[0]!, gradient: mean('gradient'), interceptGradient: mean('interceptGradient') }
    },
    close: () => session.close(),
  }
}

/**
 * L = log softmax of B Xᵀ + intercepts + offset, by row [n, K]; the loss −Σ n ωᵢ L_y, and its gradients SᵀX and Sᵀ1 by
 * S = n ωᵢ (e^L − 1_y). Times n, which keeps small weights from the small end of float32.
 */
function softmaxModel({ rows, datafit, y, offset }: Objective, precision: FloatType): Model {
  const { outputs } = datafit
  const [n, p] = [rows.tiles.rows, rows.x.columns]
  const b = builder(['beta', 'intercepts', 'loss', 'gradient', 'interceptGradient'], precision)
  b.input('beta', { kind: 'tensor', dtype: precision, shape: [outputs, p] })
  b.input('intercepts', { kind: 'tensor', dtype: precision, shape: [outputs, 1] })
  const x = b.constant(tensor(precision, [p, n], transposed(rows, precision)), 'x')
  const weights = rows.shares.map((w) => n * w)
  const minus = weights.map((w) => -w)
  const own = new Float64Array(n * outputs)
  for (const [i, k] of y.entries()) own[i * outputs + k] = 1
  const linear = b.op('Transpose', [b.op('Add', [b.op('MatMul', ['beta', x]), 'intercepts'])])
  const eta = offset === null ? linear : b.op('Add', [linear, b.constant(b.tensor([n, outputs], offset), 'offset')])
  const logs = b.op('LogSoftmax', [eta], { attrs: { axis: int(1) } })
  const picked = b.op('GatherElements', [logs, b.constant(i64([n, 1], Array.from(y)), 'y')], {
    attrs: { axis: int(1) },
  })
  const wide = b.op('Cast', [picked], { attrs: { to: int(codeOfDType('float64')) } })
  const shares = b.constant(floatTensor('float64', [1, n], minus), 'shares')
  b.ops('MatMul', [shares, wide], { outputs: ['loss'] })
  const residuals = b.op('Sub', [b.op('Exp', [logs]), b.constant(b.tensor([n, outputs], own), 'own')])
  const slopes = b.op('Mul', [residuals, b.constant(b.tensor([n, 1], weights), 'weights')])
  b.ops('Transpose', [b.op('MatMul', [x, slopes])], { outputs: ['gradient'] })
  b.ops('ReduceSum', [slopes, b.constant(i64([1], [0]), 'axis')], {
    outputs: ['interceptGradient'],
    attrs: { keepdims: int(0) },
  })
  b.output('loss', { kind: 'tensor', dtype: 'float64', shape: [1, 1] })
  b.output('gradient', { kind: 'tensor', dtype: precision, shape: [outputs, p] })
  b.output('interceptGradient', { kind: 'tensor', dtype: precision, shape: [outputs] })
  return modelOf(b.graph('softmax'))
}

/** Xᵀ [p, n], on the scale of the fit. */
function transposed({ tiles, x, factors }: TiledRows, precision: FloatType): Float32Array | Float64Array {
  const n = tiles.rows
  const out = precision === 'float32' ? new Float32Array(x.columns * n) : new Float64Array(x.columns * n)
  for (const { tiles: all } of tiles.blocks)
    for (const { tile, from, to } of all)
      for (let j = 0; j < x.columns; j++) {
        const [at, own, factor] = [j * n, j * tile.height - from, factors[j]!]
        for (let i = from; i < to; i++) out[at + i] = factor * tile.data[own + i]!
      }
  return out
}
