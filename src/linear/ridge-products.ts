/** What all strengths of a ridge make of some rows, summed up: on the engine or by loops. */

import type { Engine } from '../engine/engine.js'
import { int } from '../ir/attrs.js'
import { type Builder, builder, modelOf } from '../ir/builder.js'
import { numbers, scalar, tensor } from '../ir/tensor.js'
import type { Model } from '../ir/types.js'
import { BESIDE } from '../linalg/gram.js'
import { openProducts, transposed } from '../linalg/products.js'
import { encodeModel } from '../onnx/codec.js'
import type { RidgeBasis } from './ridge-basis.js'

/** Some rows. */
export interface Chunk {
  /** Standardized, column by column: [p, height], zeros where there are no more. */
  readonly rows: Float64Array
  /** What is predicted, and ωᵢ: [height]. */
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

/** By strength. */
export interface RidgeSums {
  /** Σ ω e x of e = y − xᵀβ: [p, strengths] */
  readonly gradient: ArrayLike<number>
  /** Σ ω e² */
  readonly squares: ArrayLike<number>
  /** Where leverages were asked. */
  readonly leftOut: LeftOutSums | null
}

export interface LeftOutSums {
  /** Σ ω t of t = (e / (1 − h))², the error of a row by a fit without it; Infinity where a row has an h of 1. */
  readonly errors: ArrayLike<number>
  /** Σ ω t² */
  readonly squaredErrors: ArrayLike<number>
  /** The largest h = ω (1 + xᵀB diag(shrinkage) Bᵀx) of all rows and strengths; the 1 is the intercept's. */
  readonly largest: number
}

export interface RidgeProducts {
  /** Room for the rows of a chunk, with whatever it held before. */
  room(): Float64Array
  /** The room is gone. */
  of(chunk: Chunk): Promise<RidgeSums>
  close(): Promise<void>
}

export interface RidgeShape {
  readonly columns: number
  /** Rows of a chunk. */
  readonly height: number
  readonly hasIntercept: boolean
}

/** 1 − h that rounding alone may have left. */
const ITS_OWN = 1e-12

export function loopProducts(
  { directions, energies }: RidgeBasis,
  { count, beta, shrinkage }: Strengths,
  { columns: p, height: n, hasIntercept }: RidgeShape,
): RidgeProducts {
  const products = openProducts(undefined)
  const r = energies.length
  const spare: Float64Array[] = []
  return {
    room: () => spare.pop() ?? new Float64Array(p * n),
    async of({ rows: turned, y, shares }) {
      const rows = transposed(turned, p, n)
      const errors = await products.multiply(rows, beta, { m: n, k: p, n: count })
      for (let i = 0, at = 0; i < n; i++) for (let l = 0; l < count; l++, at++) errors[at] = y[i]! - errors[at]!
      const weighted = errors.map((e, at) => e * shares[Math.floor(at / count)]!)
      const gradient = await products.multiply(turned, weighted, { m: p, k: n, n: count })
      spare.push(turned)
      const squares = new Float64Array(count)
      for (let at = 0; at < errors.length; at++) squares[at % count]! += weighted[at]! * errors[at]!
      if (shrinkage === null) return { gradient, squares, leftOut: null }
      const u = await products.multiply(rows, directions, { m: n, k: p, n: r })
      for (let at = 0; at < u.length; at++) u[at]! *= u[at]!
      const leverages = await products.multiply(u, shrinkage, { m: n, k: r, n: count })
      return { gradient, squares, leftOut: leftOutOf(errors, leverages, shares, hasIntercept) }
    },
    close: () => products.close(),
  }
}

function leftOutOf(
  errors: Float64Array,
  leverages: Float64Array,
  shares: Float64Array,
  hasIntercept: boolean,
): LeftOutSums {
  const count = errors.length / shares.length
  const [sums, squaredErrors] = [new Float64Array(count), new Float64Array(count)]
  let largest = 0
  for (let i = 0, at = 0; i < shares.length; i++) {
    const share = shares[i]!
    if (share === 0) at += count
    else
      for (let l = 0; l < count; l++, at++) {
        const h = share * (Number(hasIntercept) + leverages[at]!)
        largest = Math.max(largest, h)
        const rest = 1 - h
        const error = rest > ITS_OWN ? errors[at]! / rest : Number.POSITIVE_INFINITY
        sums[l]! += share * error * error
        squaredErrors[l]! += share * (error * error) ** 2
      }
  }
  return { errors: sums, squaredErrors, largest }
}

export async function engineProducts(
  engine: Engine,
  basis: RidgeBasis,
  strengths: Strengths,
  shape: RidgeShape,
): Promise<RidgeProducts> {
  const { columns: p, height } = shape
  const bytes = encodeModel(ridgeModel(basis, strengths, shape)).bytes
  const session = await engine.load(bytes, { config: BESIDE })
  const spare: Float64Array[] = []
  return {
    room: () => spare.pop() ?? new Float64Array(p * height),
    async of({ rows, y, shares }) {
      const feeds = {
        rows: tensor('float64', [p, height], rows),
        y: tensor('float64', [height, 1], y),
        shares: tensor('float64', [height, 1], shares),
      }
      const results = await session.run(feeds, { lend: ['rows'] })
      spare.push(numbers(results.rows!) as Float64Array)
      const [gradient, squares] = [numbers(results.gradient!), numbers(results.squares!)]
      if (strengths.shrinkage === null) return { gradient, squares, leftOut: null }
      const [errors, squaredErrors] = [numbers(results.leftErrors!), numbers(results.leftSquares!)]
      return { gradient, squares, leftOut: { errors, squaredErrors, largest: numbers(results.largest!)[0]! } }
    },
    close: () => session.close(),
  }
}

function ridgeModel(
  { directions, energies }: RidgeBasis,
  { count, beta, shrinkage }: Strengths,
  { columns: p, height, hasIntercept }: RidgeShape,
): Model {
  const r = energies.length
  const sums = ['gradient', 'squares', 'leftErrors', 'leftSquares', 'largest']
  const b = builder(['rows', 'y', 'shares', ...sums], 'float64')
  const input = (name: string, shape: readonly number[]): string =>
    b.input(name, { kind: 'tensor', dtype: 'float64', shape })
  const [rows, y, shares] = [input('rows', [p, height]), input('y', [height, 1]), input('shares', [height, 1])]
  const out = (name: string, shape: readonly number[]): void =>
    b.output(name, { kind: 'tensor', dtype: 'float64', shape })
  const turned = { domain: 'com.microsoft', attrs: { transA: int(1) } }
  const errors = b.op('Sub', [y, b.op('FusedMatMul', [rows, b.constant(tensor('float64', [p, count], beta))], turned)])
  const weighted = b.op('Mul', [errors, shares])
  b.ops('MatMul', [rows, weighted], { outputs: ['gradient'] })
  out('gradient', [p, count])
  weightedTotal(b, { values: b.op('Mul', [errors, errors]), shares, count }, 'squares')
  const model = (): Model => modelOf(b.graph('ridge'), { '': 21, 'com.microsoft': 1 })
  if (shrinkage === null) return model()
  const constant = (shape: readonly number[], values: Float64Array): string =>
    b.constant(tensor('float64', shape, values))
  const u = b.op('FusedMatMul', [rows, constant([p, r], directions)], turned)
  const leverages = b.op('MatMul', [b.op('Mul', [u, u]), constant([r, count], shrinkage)])
  leftOutOutputs(b, { errors, leverages, shares, count, hasIntercept })
  return model()
}

interface LeftOutValues {
  /** [height, count], float64 */
  readonly errors: string
  /** xᵀB diag(shrinkage) Bᵀx: [height, count], float64 */
  readonly leverages: string
  /** [height, 1] */
  readonly shares: string
  readonly count: number
  readonly hasIntercept: boolean
}

/** Adds `LeftOutSums` as outputs: leftErrors, leftSquares and largest. */
export function leftOutOutputs(b: Builder, { errors, leverages, shares, count, hasIntercept }: LeftOutValues): void {
  const one = b.constant(scalar(1, 'float64'))
  const h = b.op('Mul', [shares, hasIntercept ? b.op('Add', [leverages, one]) : leverages])
  b.ops('ReduceMax', [h], { outputs: ['largest'], attrs: { keepdims: int(0) } })
  b.output('largest', { kind: 'tensor', dtype: 'float64', shape: [] })
  const rest = b.op('Sub', [one, h])
  const isOwn = b.op('LessOrEqual', [rest, b.constant(scalar(ITS_OWN, 'float64'))])
  const divided = b.op('Div', [errors, rest])
  const square = b.op('Mul', [divided, divided])
  const t = b.op('Where', [isOwn, b.constant(scalar(Number.POSITIVE_INFINITY, 'float64')), square])
  weightedTotal(b, { values: t, shares, count }, 'leftErrors')
  weightedTotal(b, { values: b.op('Mul', [t, t]), shares, count }, 'leftSquares')
}

/** Adds Σ ω values over the rows, as a product with the shares, to the outputs: [1, count]. */
function weightedTotal(
  b: Builder,
  { values, shares, count }: { readonly values: string; readonly shares: string; readonly count: number },
  name: string,
): void {
  b.ops('FusedMatMul', [shares, values], { domain: 'com.microsoft', attrs: { transA: int(1) }, outputs: [name] })
  b.output(name, { kind: 'tensor', dtype: 'float64', shape: [1, count] })
}
