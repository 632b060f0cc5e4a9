/** Products with all rows on the engine, in float32: what a search makes its steps by, long before the last digits. */

import type { Engine, Session } from '../engine/engine.js'
import { builder, modelOf } from '../ir/builder.js'
import { floatTensor, numbers, tensor } from '../ir/tensor.js'
import type { Model, Tensor } from '../ir/types.js'
import { encodeModel } from '../onnx/codec.js'
import { type Objective, responseAt, type State } from './objective.js'
import type { Coefficients, Rows } from './rows.js'

export interface RowProducts {
  /** As `stateAt`, of products that are right to six digits. */
  stateAt(objective: Objective, point: Coefficients): Promise<State>
  close(): Promise<void>
}

/** Null where X is too small for the engine to be worth its way, or too large for a model that holds it. */
export async function openProducts(engine: Engine, rows: Rows, outputs: number): Promise<RowProducts | null> {
  const { tiles, x } = rows
  const [n, p] = [tiles.rows, x.columns]
  if (n * p * outputs < LEAST || n * p > MOST) return null
  const matrix = tensor('float32', [n, p], rowMajor(rows))
  const open = (model: Model): Promise<Session> => engine.load(encodeModel(model).bytes)
  const [forward, backward] = [await open(forwardModel(matrix, outputs)), await open(backwardModel(matrix, outputs))]
  return {
    async stateAt(objective, point) {
      const weights = floatTensor('float32', [outputs, p], point.beta)
      const products = numbers((await forward.run({ weights })).eta!)
      const eta = Float64Array.from(products, (v, at) => {
        return v + point.intercepts[at % outputs]! + (objective.offset === null ? 0 : objective.offset[at]!)
      })
      const here = responseAt(objective, eta)
      // Times n, which keeps them from the small end of float32.
      const shared = here.slopes.map((s, at) => s * rows.shares[Math.floor(at / outputs)]! * n)
      const results = await backward.run({ slopes: floatTensor('float32', [n, outputs], shared) })
      const gradient = Float64Array.from(numbers(results.gradient!), (v) => v / n)
      return { ...point, ...here, gradient, columns: null }
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
function rowMajor({ tiles, x, factors }: Rows): Float32Array {
  const p = x.columns
  const out = new Float32Array(tiles.rows * p)
  for (const { tiles: all } of tiles.blocks)
    for (const { tile, from, to } of all)
      for (let i = from; i < to; i++)
        for (let j = 0; j < p; j++) out[i * p + j] = factors[j]! * tile.data[j * tile.height + i - from]!
  return out
}
