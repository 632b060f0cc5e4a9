/** Products with all rows on the engine, in float32: what a search makes its steps by, long before the last digits. */

import type { Engine, Session } from '../engine/engine.js'
import { builder, modelOf } from '../ir/builder.js'
import { floatTensor, numbers, tensor } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import type { TiledRows } from './rows.js'

export interface RowProducts {
  /** [n, K] of coefficients [K, p]: without intercepts and offsets, right to six digits. */
  predictors(beta: Float64Array): Promise<Float64Array>
  /** Σ ωᵢ sᵢ xᵢᵀ [K, p] of slopes [n, K], the same. */
  gradient(slopes: Float64Array): Promise<Float64Array>
  close(): Promise<void>
}

/** Null where X is too small for the engine to be worth its way, or too large for a model that holds it. */
export async function openProducts(engine: Engine, rows: TiledRows, outputs: number): Promise<RowProducts | null> {
  const { tiles, x, shares } = rows
  const [n, p] = [tiles.rows, x.columns]
  if (n * p * outputs < LEAST || n * p > MOST) return null
  const matrix = tensor('float32', [n, p], rowMajor(rows))
  const open = (model: Model): Promise<Session> => engine.load(encodeModel(model).bytes)
  const [forward, backward] = [await open(forwardModel(matrix, outputs)), await open(backwardModel(matrix, outputs))]
  return {
    async predictors(beta) {
      const { eta } = await forward.run({ weights: floatTensor('float32', [outputs, p], beta) })
      return new Float64Array(numbers(eta!))
    },
    async gradient(slopes) {
      const shared = new Float32Array(slopes.length)
      // Times n, which keeps them from the small end of float32.
      for (let i = 0, at = 0; i < n; i++)
        for (let k = 0; k < outputs; k++, at++) shared[at] = slopes[at]! * shares[i]! * n
      const results = await backward.run({ slopes: tensor('float32', [n, outputs], shared) })
      return new Float64Array(numbers(results.gradient!)).map((v) => v / n)
    },
    async close() {
      await Promise.all([forward.close(), backward.close()])
    },
  }
}

/** Multiplications of one product from which on the engine is worth its way; numbers that a model can hold. */
const LEAST = 1e6
const MOST = 2 ** 28

/** eta [n, K] = X Wᵀ */
function forwardModel(matrix: Tensor, outputs: number): Model {
  const b = builder(['weights', 'eta'])
  b.input('weights', { kind: 'tensor', dtype: 'float32', shape: [outputs, matrix.shape[1]!] })
  b.ops('MatMul', [b.constant(matrix, 'x'), b.op('Transpose', ['weights'])], { outputs: ['eta'] })
  b.output('eta', { kind: 'tensor', dtype: 'float32', shape: [matrix.shape[0]!, outputs] })
  return modelOf(b.graph('forward'))
}

/** gradient [K, p] = Sᵀ X */
function backwardModel(matrix: Tensor, outputs: number): Model {
  const b = builder(['slopes', 'gradient'])
  b.input('slopes', { kind: 'tensor', dtype: 'float32', shape: [matrix.shape[0]!, outputs] })
  b.ops('MatMul', [b.op('Transpose', ['slopes']), b.constant(matrix, 'x')], { outputs: ['gradient'] })
  b.output('gradient', { kind: 'tensor', dtype: 'float32', shape: [outputs, matrix.shape[1]!] })
  return modelOf(b.graph('backward'))
}

/** [n, p], on the scale of the fit. */
function rowMajor({ tiles, x, factors }: TiledRows): Float32Array {
  const p = x.columns
  const out = new Float32Array(tiles.rows * p)
  for (const { tiles: all } of tiles.blocks)
    for (const { tile, from, to } of all)
      for (let i = from; i < to; i++)
        for (let j = 0; j < p; j++) out[i * p + j] = factors[j]! * tile.data[j * tile.height + i - from]!
  return out
}
