/** The products of a ridge with some rows: residuals, gradients and leverages of all strengths, on the engine or by loops. */

import type { Engine } from '../engine/engine.js'
import { int } from '../ir/attrs.js'
import { builder, type FloatType, modelOf } from '../ir/builder.js'
import { codeOfDType } from '../ir/dtypes.js'
import { numbers, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { openProducts, transposed } from '../linalg/products.js'
import { encodeModel } from '../onnx/codec.js'
import type { RidgeBasis } from './ridge-basis.js'

/** Of so many rows. */
export interface Chunk {
  readonly count: number
  /** [count, p], standardized. */
  readonly rows: Float64Array
  /** [count]: what is predicted, and ωᵢ. */
  readonly y: Float64Array
  readonly shares: Float64Array
}

/** Of the strengths. */
export interface Strengths {
  readonly count: number
  /** [p, count] */
  readonly beta: Float64Array
  /** 1 / (bᵀGb + λbᵀDb): [r, count]; null where leverages are not asked. */
  readonly shrinkage: Float64Array | null
}

export interface ChunkResult {
  /** y − xᵀβ: [rows, strengths] */
  readonly errors: ArrayLike<number>
  /** Σ ω (y − xᵀβ) x: [p, strengths] */
  readonly gradient: ArrayLike<number>
  /** xᵀB diag(shrinkage) Bᵀx: [rows, strengths] */
  readonly leverages: ArrayLike<number> | null
}

export interface RidgeProducts {
  of(chunk: Chunk, strengths: Strengths): Promise<ChunkResult>
  close(): Promise<void>
}

export function loopProducts({ directions, energies }: RidgeBasis, p: number): RidgeProducts {
  const products = openProducts(undefined)
  const r = energies.length
  return {
    async of({ count: n, rows, y, shares }, { count, beta, shrinkage }) {
      const errors = await products.multiply(rows, beta, { m: n, k: p, n: count })
      for (let i = 0, at = 0; i < n; i++) for (let l = 0; l < count; l++, at++) errors[at] = y[i]! - errors[at]!
      const weighted = errors.map((e, at) => e * shares[Math.floor(at / count)]!)
      const gradient = await products.multiply(transposed(rows, n, p), weighted, { m: p, k: n, n: count })
      if (shrinkage === null) return { errors, gradient, leverages: null }
      const u = await products.multiply(rows, directions, { m: n, k: p, n: r })
      for (let at = 0; at < u.length; at++) u[at]! *= u[at]!
      return { errors, gradient, leverages: await products.multiply(u, shrinkage, { m: n, k: r, n: count }) }
    },
    close: () => products.close(),
  }
}

/** `precision`: of the leverages alone; null for none. */
export async function engineProducts(
  engine: Engine,
  basis: RidgeBasis,
  p: number,
  precision: FloatType | null,
): Promise<RidgeProducts> {
  const r = basis.energies.length
  const session = await engine.load(encodeModel(ridgeModel(basis, p, precision)).bytes)
  return {
    async of({ count: n, rows, y, shares }, { count, beta, shrinkage }) {
      const { errors, gradient, leverages } = await session.run({
        rows: tensor('float64', [n, p], rows),
        y: tensor('float64', [n, 1], y),
        shares: tensor('float64', [n, 1], shares),
        beta: tensor('float64', [p, count], beta),
        ...(shrinkage && { shrinkage: tensor('float64', [r, count], shrinkage) }),
      })
      return {
        errors: numbers(errors!),
        gradient: numbers(gradient!),
        leverages: leverages === undefined ? null : numbers(leverages),
      }
    },
    close: () => session.close(),
  }
}

function ridgeModel({ directions, energies }: RidgeBasis, p: number, precision: FloatType | null): Model {
  const r = energies.length
  const taken = ['rows', 'y', 'shares', 'beta', 'shrinkage', 'errors', 'gradient', 'leverages']
  const b = builder(taken, precision ?? 'float64')
  const input = (name: string, shape: readonly (number | string)[]): string =>
    b.input(name, { kind: 'tensor', dtype: 'float64', shape })
  const [rows, y, shares, beta] = [
    input('rows', ['N', p]),
    input('y', ['N', 1]),
    input('shares', ['N', 1]),
    input('beta', [p, 'L']),
  ]
  b.ops('Sub', [y, b.op('MatMul', [rows, beta])], { outputs: ['errors'] })
  b.output('errors', { kind: 'tensor', dtype: 'float64', shape: ['N', 'L'] })
  const weighted = b.op('Mul', ['errors', shares])
  b.ops('Gemm', [rows, weighted], { outputs: ['gradient'], attrs: { transA: int(1) } })
  b.output('gradient', { kind: 'tensor', dtype: 'float64', shape: [p, 'L'] })
  if (precision === null) return modelOf(b.graph('ridge'))
  const shrinkage = input('shrinkage', [r, 'L'])
  const cast = (name: string): string =>
    precision === 'float64' ? name : b.op('Cast', [name], { attrs: { to: int(codeOfDType(precision)) } })
  const u = b.op('MatMul', [cast(rows), b.constant(b.tensor([p, r], directions), 'directions')])
  b.ops('MatMul', [b.op('Mul', [u, u]), cast(shrinkage)], { outputs: ['leverages'] })
  b.output('leverages', { kind: 'tensor', dtype: precision, shape: ['N', 'L'] })
  return modelOf(b.graph('ridge'))
}
