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
  const numbersOfRow = p + 1 + outputs * (objective.offset === null ? 1 : 2)
  if (n * p * outputs < LEAST || n * numbersOfRow * (precision === 'float32' ? 4 : 8) > MOST) return null
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
 * Z = H − max H of H [K, n] = B Xᵀ + intercepts + offset, the loss Σ n ωᵢ (log Σ e^zₖ − z_y) and its gradients S X and S 1
 * by S = n ωᵢ (e^Z / Σ e^zₖ − 1_y). Times n, which keeps small weights from the small end of float32. Written out, as the
 * engine's own softmax goes along rows, and of few classes takes longer for it.
 */
function softmaxModel({ rows, datafit, y, offset }: Objective, precision: FloatType): Model {
  const { outputs } = datafit
  const [n, p] = [rows.tiles.rows, rows.x.columns]
  const b = builder(['beta', 'intercepts', 'loss', 'gradient', 'interceptGradient'], precision)
  const byClass = (value: (i: number, k: number) => number): string => {
    const data = Float64Array.from({ length: outputs * n }, (_, at) => value(at % n, Math.floor(at / n)))
    return b.constant(b.tensor([outputs, n], data))
  }
  const overClasses = { attrs: { keepdims: int(1) } }
  const axis = (a: number): string => b.constant(i64([1], [a]), 'axis')
  b.input('beta', { kind: 'tensor', dtype: precision, shape: [outputs, p] })
  b.input('intercepts', { kind: 'tensor', dtype: precision, shape: [outputs, 1] })
  const x = b.constant(tensor(precision, [p, n], transposed(rows, precision)), 'x')
  const isOwn = byClass((i, k) => Number(y[i] === k))
  const shares = rows.shares.map((w) => n * w)
  const weights = b.constant(b.tensor([1, n], shares), 'weights')
  const linear = b.op('Add', [b.op('MatMul', ['beta', x]), 'intercepts'])
  const eta = offset === null ? linear : b.op('Add', [linear, byClass((i, k) => offset[i * outputs + k]!)])
  const z = b.op('Sub', [eta, b.op('ReduceMax', [eta, axis(0)], overClasses)])
  const exps = b.op('Exp', [z])
  const sum = b.op('ReduceSum', [exps, axis(0)], overClasses)
  const own = b.op('ReduceSum', [b.op('Mul', [z, isOwn]), axis(0)], overClasses)
  const losses = b.op('Mul', [b.op('Sub', [b.op('Log', [sum]), own]), weights])
  const wide = b.op('Cast', [losses], { attrs: { to: int(codeOfDType('float64')) } })
  b.ops('ReduceSum', [wide], { outputs: ['loss'], attrs: { keepdims: int(0) } })
  const slopes = b.op('Mul', [b.op('Sub', [b.op('Div', [exps, sum]), isOwn]), weights])
  const gradient = b.op('MatMul', [x, b.op('Transpose', [slopes])])
  b.ops('Transpose', [gradient], { outputs: ['gradient'] })
  b.ops('ReduceSum', [slopes, axis(1)], { outputs: ['interceptGradient'], attrs: { keepdims: int(0) } })
  b.output('loss', { kind: 'tensor', dtype: 'float64', shape: [] })
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
